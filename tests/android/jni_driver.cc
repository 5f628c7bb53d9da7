// Runs the libmobilekit.so of the app without a JVM: the few functions of JNIEnv that the binding calls are made here.
//
//   jni_driver libmobilekit.so CASES ANSWERS
//
// CASES, for each case: 20 int32, 4 double, 9 float (as Kernels.writePlan takes them), bytes of the planes Y U V and of the
// output as int64, then the planes. ANSWERS, for each: the status as int32 and, where it is 0, the output. Native byte order.
#include <dlfcn.h>
#include <jni.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace {

struct Buffer {
  void* data;
  jlong bytes;
};

struct Array {
  const void* data;
  jsize length;
};

void* address(JNIEnv*, jobject object) { return reinterpret_cast<Buffer*>(object)->data; }
jlong capacity(JNIEnv*, jobject object) { return reinterpret_cast<Buffer*>(object)->bytes; }
jsize length(JNIEnv*, jarray object) { return reinterpret_cast<Array*>(object)->length; }
template <typename Object, typename T>
void region(JNIEnv*, Object object, jsize start, jsize count, T* to) {
  memcpy(to, static_cast<const T*>(reinterpret_cast<Array*>(object)->data) + start, sizeof(T) * size_t(count));
}

template <typename F>
F find(void* library, const char* name) {
  void* const symbol = dlsym(library, (std::string("Java_dev_mobilekit_demo_Kernels_") + name).c_str());
  if (symbol == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  return reinterpret_cast<F>(symbol);
}

bool read(FILE* file, void* to, size_t bytes) { return fread(to, 1, bytes, file) == bytes; }

}  // namespace

int main(int, char** arguments) {
  void* const library = dlopen(arguments[1], RTLD_NOW);
  if (library == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  // The struct has another name in every jni.h.
  std::remove_const_t<std::remove_pointer_t<decltype(JNIEnv::functions)>> functions = {};
  functions.GetDirectBufferAddress = address;
  functions.GetDirectBufferCapacity = capacity;
  functions.GetArrayLength = length;
  functions.GetIntArrayRegion = region<jintArray, jint>;
  functions.GetDoubleArrayRegion = region<jdoubleArray, jdouble>;
  functions.GetFloatArrayRegion = region<jfloatArray, jfloat>;
  JNIEnv env;
  env.functions = &functions;

  const auto plan_bytes = find<jint (*)(JNIEnv*, jclass)>(library, "planBytes");
  const auto write_plan = find<jint (*)(JNIEnv*, jclass, jobject, jintArray, jdoubleArray, jfloatArray)>(library, "writePlan");
  const auto scratch_bytes = find<jlong (*)(JNIEnv*, jclass, jobject, jobject, jobject, jobject, jobject)>(library, "scratchBytes");
  const auto preprocess =
      find<jint (*)(JNIEnv*, jclass, jobject, jobject, jobject, jobject, jobject, jobject)>(library, "preprocess");

  FILE* const cases = fopen(arguments[2], "rb");
  FILE* const answers = fopen(arguments[3], "wb");
  if (cases == nullptr || answers == nullptr) return 2;
  std::vector<uint8_t> plan(static_cast<size_t>(plan_bytes(&env, nullptr)));
  Buffer plan_buffer = {plan.data(), jlong(plan.size())};
  const auto object = [](Buffer& b) { return reinterpret_cast<jobject>(b.bytes > 0 ? &b : nullptr); };

  jint ints[20];
  while (read(cases, ints, sizeof ints)) {
    jdouble crop[4];
    jfloat levels[9];
    int64_t sizes[4];
    if (!read(cases, crop, sizeof crop) || !read(cases, levels, sizeof levels) || !read(cases, sizes, sizeof sizes)) return 2;
    std::vector<std::vector<uint8_t>> memory;
    Buffer buffers[4];
    for (int p = 0; p < 4; ++p) {
      memory.emplace_back(static_cast<size_t>(sizes[p]));
      if (p < 3 && !read(cases, memory.back().data(), memory.back().size())) return 2;
    }
    for (int p = 0; p < 4; ++p) buffers[p] = {memory[size_t(p)].data(), sizes[p]};
    Array int_array = {ints, 20}, crop_array = {crop, 4}, level_array = {levels, 9};
    int32_t status = write_plan(&env, nullptr, object(plan_buffer), reinterpret_cast<jintArray>(&int_array),
                                reinterpret_cast<jdoubleArray>(&crop_array), reinterpret_cast<jfloatArray>(&level_array));
    jobject const y = object(buffers[0]), u = object(buffers[1]), v = object(buffers[2]), out = object(buffers[3]);
    if (status == 0) {
      const jlong needed = scratch_bytes(&env, nullptr, object(plan_buffer), y, u, v, out);
      std::vector<uint8_t> scratch(size_t(needed > 0 ? needed : 1));
      Buffer scratch_buffer = {scratch.data(), jlong(scratch.size())};
      status = preprocess(&env, nullptr, object(plan_buffer), y, u, v, out, object(scratch_buffer));
    }
    fwrite(&status, sizeof status, 1, answers);
    if (status == 0) fwrite(buffers[3].data, 1, size_t(sizes[3]), answers);
  }
  return fclose(answers) == 0 ? 0 : 2;
}
