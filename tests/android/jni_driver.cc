// Runs the libmobilekit.so of the app without a JVM: the few functions of JNIEnv that the binding calls are made here.
//
//   jni_driver libmobilekit.so CASES ANSWERS
//
// CASES, for each case an int32 that says which, then:
//   0, a frame:  PLAN (20 int32, 4 double, 9 float, as Kernels.writePlan takes them), bytes of the planes Y U V and of the output
//                as int64, the planes. Answer: the status as int32 and, where it is 0, the output.
//   1, a head:   8 int32 (dtype, zero point, anchors, classes, layout, objectness, most detections, 0), 3 double (scale,
//                confidence, IoU), PLAN, bytes of the tensor as int64, the tensor. Answer: what detectYolo gives as int32 and as
//                many detections, in pixels of the frame of PLAN.
//   2, a text:   5 int32 (dtype, zero point, steps, classes, blank), 1 double (scale), bytes of the tensor as int64, the tensor.
//                Answer: what ctcGreedy gives as int32, then as many symbols, places and values.
// Native byte order.
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

struct Plan {
  jint ints[20];
  jdouble crop[4];
  jfloat levels[9];

  bool read_from(FILE* file) {
    return read(file, ints, sizeof ints) && read(file, crop, sizeof crop) && read(file, levels, sizeof levels);
  }
};

// A tensor in memory of exactly its size, so that a sanitizer or an emulator sees a step too far.
bool read_tensor(FILE* file, std::vector<uint8_t>& to) {
  int64_t bytes = 0;
  if (!read(file, &bytes, sizeof bytes)) return false;
  to.resize(size_t(bytes));
  return read(file, to.data(), to.size());
}

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
  const auto yolo_scratch = find<jlong (*)(JNIEnv*, jclass, jobject, jint, jfloat, jint, jint, jint, jint, jint, jint)>(
      library, "yoloScratchBytes");
  const auto detect_yolo = find<jint (*)(JNIEnv*, jclass, jobject, jint, jfloat, jint, jint, jint, jint, jint, jfloat, jdouble,
                                         jint, jobject, jobject)>(library, "detectYolo");
  const auto boxes_to_frame = find<jint (*)(JNIEnv*, jclass, jobject, jobject, jint)>(library, "boxesToFrame");
  const auto ctc_greedy = find<jint (*)(JNIEnv*, jclass, jobject, jint, jint, jint, jint, jfloat, jint, jobject, jobject, jobject)>(
      library, "ctcGreedy");

  FILE* const cases = fopen(arguments[2], "rb");
  FILE* const answers = fopen(arguments[3], "wb");
  if (cases == nullptr || answers == nullptr) return 2;
  std::vector<uint8_t> plan(static_cast<size_t>(plan_bytes(&env, nullptr)));
  Buffer plan_buffer = {plan.data(), jlong(plan.size())};
  const auto object = [](Buffer& b) { return reinterpret_cast<jobject>(b.bytes > 0 ? &b : nullptr); };

  const auto plan_of = [&](Plan& p) {
    Array ints = {p.ints, 20}, crop = {p.crop, 4}, levels = {p.levels, 9};
    return write_plan(&env, nullptr, object(plan_buffer), reinterpret_cast<jintArray>(&ints),
                      reinterpret_cast<jdoubleArray>(&crop), reinterpret_cast<jfloatArray>(&levels));
  };

  int32_t kind = 0;
  while (read(cases, &kind, sizeof kind)) {
    if (kind == 1) {
      jint i[8];
      double d[3];
      Plan p;
      std::vector<uint8_t> tensor;
      if (!read(cases, i, sizeof i) || !read(cases, d, sizeof d) || !p.read_from(cases) || !read_tensor(cases, tensor)) return 2;
      Buffer in = {tensor.data(), jlong(tensor.size())};
      std::vector<uint8_t> found(28 * size_t(i[6] > 0 ? i[6] : 1));
      Buffer out = {found.data(), jlong(found.size())};
      const jlong needed = yolo_scratch(&env, nullptr, object(in), i[0], jfloat(d[0]), i[1], i[2], i[3], i[4], i[5], i[6]);
      std::vector<uint8_t> scratch(size_t(needed > 0 ? needed : 1));
      Buffer work = {scratch.data(), jlong(scratch.size())};
      int32_t count = detect_yolo(&env, nullptr, object(in), i[0], jfloat(d[0]), i[1], i[2], i[3], i[4], i[5], jfloat(d[1]), d[2],
                                  i[6], object(out), object(work));
      if (count > 0) {
        int32_t status = plan_of(p);
        if (status == 0) status = boxes_to_frame(&env, nullptr, object(plan_buffer), object(out), count);
        if (status != 0) count = -status;
      }
      fwrite(&count, sizeof count, 1, answers);
      if (count > 0) fwrite(found.data(), 28, size_t(count), answers);
      continue;
    }
    if (kind == 2) {
      jint i[5];
      double scale;
      std::vector<uint8_t> tensor;
      if (!read(cases, i, sizeof i) || !read(cases, &scale, sizeof scale) || !read_tensor(cases, tensor)) return 2;
      Buffer in = {tensor.data(), jlong(tensor.size())};
      std::vector<int32_t> memory[3];
      Buffer out[3];
      for (int k = 0; k < 3; ++k) {
        memory[k].resize(size_t(i[2] > 0 ? i[2] : 1));
        out[k] = {memory[k].data(), jlong(4 * memory[k].size())};
      }
      const int32_t count = ctc_greedy(&env, nullptr, object(in), i[0], i[2], i[3], i[4], jfloat(scale), i[1], object(out[0]),
                                       object(out[1]), object(out[2]));
      fwrite(&count, sizeof count, 1, answers);
      for (int k = 0; k < 3 && count > 0; ++k) fwrite(out[k].data, 4, size_t(count), answers);
      continue;
    }
    Plan p;
    int64_t sizes[4];
    if (!p.read_from(cases) || !read(cases, sizes, sizeof sizes)) return 2;
    std::vector<std::vector<uint8_t>> memory;
    Buffer buffers[4];
    for (int p = 0; p < 4; ++p) {
      memory.emplace_back(static_cast<size_t>(sizes[p]));
      if (p < 3 && !read(cases, memory.back().data(), memory.back().size())) return 2;
    }
    for (int p = 0; p < 4; ++p) buffers[p] = {memory[size_t(p)].data(), sizes[p]};
    int32_t status = plan_of(p);
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
