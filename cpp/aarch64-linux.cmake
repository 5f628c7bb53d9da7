# Cross-compiles for 64-bit Arm Linux and runs the tests under qemu.
# Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# googletest is built from its sources: the system's library is for the host.
set(MOBILEKIT_GTEST_SOURCE /usr/src/googletest CACHE PATH "")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
