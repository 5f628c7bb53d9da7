// dev.mobilekit.demo.Kernels: the kernels for the JVM and for Android. Direct buffers in and out, nothing is copied and
// nothing is allocated; a kernel's status is the answer, and the Kotlin side makes an exception of it.
//
// What does not change from frame to frame (crop, rotation, filter, normalisation, strides) is written once into a direct
// buffer that the app owns, the plan: it holds an mk_preprocess_args without pointers. A frame then costs one call with six
// buffers, about 0.1 us on top of the kernel.
#include <jni.h>
#include <string.h>

#include "mobilekit/detect.h"
#include "mobilekit/isa.h"
#include "mobilekit/preprocess.h"
#include "mobilekit/scores.h"
#include "mobilekit/text.h"

#define MK_JNI(type, name) extern "C" JNIEXPORT type JNICALL Java_dev_mobilekit_demo_Kernels_##name

namespace {

// A direct buffer from its first byte to its capacity; position and limit are the caller's own business.
struct Bytes {
  uint8_t* data = nullptr;
  int64_t size = 0;

  Bytes(JNIEnv* env, jobject buffer) {
    if (buffer == nullptr) return;
    data = static_cast<uint8_t*>(env->GetDirectBufferAddress(buffer));  // null where the buffer is not direct
    if (data != nullptr) size = env->GetDirectBufferCapacity(buffer);
  }

  // For one element of type T and more: aligned to it, and room for `count`.
  template <typename T>
  int32_t check(int64_t count) const {
    if (data == nullptr) return MK_ERROR_NULL_POINTER;
    if (reinterpret_cast<uintptr_t>(data) % alignof(T) != 0) return MK_ERROR_ALIGNMENT;
    return size / static_cast<int64_t>(sizeof(T)) < count ? MK_ERROR_BUFFER_TOO_SMALL : MK_OK;
  }
};

// The plan is copied to the stack: its buffer needs no alignment, and two threads may use one plan.
int32_t read_plan(JNIEnv* env, jobject plan, mk_preprocess_args* args) {
  const Bytes bytes(env, plan);
  if (const int32_t status = bytes.check<uint8_t>(sizeof *args); status != MK_OK) return status;
  memcpy(args, bytes.data, sizeof *args);
  return MK_OK;
}

// Indices into the arrays of writePlan; Kernels.kt has the same list.
enum { kFormat, kWidth, kHeight, kChromaPixelStride, kRowStrideY, kRowStrideU, kRowStrideV, kRotation, kMirror, kFilter,
       kColor, kOutWidth, kOutHeight, kChannels, kDtype, kLayout, kRectX, kRectY, kRectWidth, kRectHeight, kInts };
constexpr int kCrop = 4, kLevels = 9;  // x y width height; pad_level, multiply, add: 3 each

mk_yolo_args yolo_args(const Bytes& output, jint dtype, jfloat scale, jint zero_point, jint anchors, jint classes, jint layout,
                       jint objectness, jfloat confidence, jdouble iou_threshold, jint max_detections) {
  mk_yolo_args args;
  memset(&args, 0, sizeof args);
  args.data = output.data;
  args.data_bytes = output.size;
  args.dtype = dtype;
  args.scale = scale;
  args.zero_point = zero_point;
  args.anchors = anchors;
  args.classes = classes;
  args.layout = layout;
  args.objectness = objectness;
  args.box_format = MK_BOX_CXCYWH;
  args.confidence = confidence;
  args.iou_threshold = iou_threshold;
  args.max_detections = max_detections;
  return args;
}

}  // namespace

MK_JNI(jint, planBytes)(JNIEnv*, jclass) { return static_cast<jint>(sizeof(mk_preprocess_args)); }

// Fills the plan. What is wrong with it shows at the first frame: only then are there buffers to check it against.
MK_JNI(jint, writePlan)(JNIEnv* env, jclass, jobject plan, jintArray ints, jdoubleArray crop, jfloatArray levels) {
  const Bytes bytes(env, plan);
  if (const int32_t status = bytes.check<uint8_t>(sizeof(mk_preprocess_args)); status != MK_OK) return status;
  if (ints == nullptr || crop == nullptr || levels == nullptr) return MK_ERROR_NULL_POINTER;
  if (env->GetArrayLength(ints) != kInts || env->GetArrayLength(crop) != kCrop || env->GetArrayLength(levels) != kLevels) {
    return MK_ERROR_SIZE;
  }
  jint i[kInts];
  jdouble c[kCrop];
  jfloat f[kLevels];
  env->GetIntArrayRegion(ints, 0, kInts, i);
  env->GetDoubleArrayRegion(crop, 0, kCrop, c);
  env->GetFloatArrayRegion(levels, 0, kLevels, f);
  mk_preprocess_args args;
  memset(&args, 0, sizeof args);
  args.image.format = i[kFormat];
  args.image.width = i[kWidth];
  args.image.height = i[kHeight];
  args.image.chroma_pixel_stride = i[kChromaPixelStride];
  args.image.row_stride[0] = i[kRowStrideY];
  args.image.row_stride[1] = i[kRowStrideU];
  args.image.row_stride[2] = i[kRowStrideV];
  args.crop_x = c[0];
  args.crop_y = c[1];
  args.crop_width = c[2];
  args.crop_height = c[3];
  args.rotation = i[kRotation];
  args.mirror = i[kMirror];
  args.filter = i[kFilter];
  args.color = i[kColor];
  args.out_width = i[kOutWidth];
  args.out_height = i[kOutHeight];
  args.channels = i[kChannels];
  args.dtype = i[kDtype];
  args.layout = i[kLayout];
  args.rect_x = i[kRectX];
  args.rect_y = i[kRectY];
  args.rect_width = i[kRectWidth];
  args.rect_height = i[kRectHeight];
  for (int p = 0; p < 3; ++p) {
    args.pad_level[p] = f[p];
    args.multiply[p] = f[3 + p];
    args.add[p] = f[6 + p];
  }
  memcpy(bytes.data, &args, sizeof args);
  return MK_OK;
}

// One frame. `u` and `v` are null for formats of one plane. The kernel checks every size against the buffers' capacities.
// Too little scratch is MK_ERROR_SCRATCH: see scratchBytes.
MK_JNI(jint, preprocess)(JNIEnv* env, jclass, jobject plan, jobject y, jobject u, jobject v, jobject out,
                         jobject scratch) {
  mk_preprocess_args args;
  if (const int32_t status = read_plan(env, plan, &args); status != MK_OK) return status;
  const Bytes planes[3] = {Bytes(env, y), Bytes(env, u), Bytes(env, v)};
  for (int p = 0; p < 3; ++p) {
    args.image.plane[p] = planes[p].data;
    args.image.plane_bytes[p] = planes[p].size;
  }
  const Bytes tensor(env, out), work(env, scratch);
  args.out = tensor.data;
  args.out_bytes = tensor.size;
  if (const int32_t status = mk_preprocess_check(&args); status != MK_OK) return status;
  return mk_preprocess(&args, 0, mk_preprocess_parts(&args), work.data, work.size);
}

// How much scratch frames of this plan need; the negative status where plan or buffers are wrong.
MK_JNI(jlong, scratchBytes)(JNIEnv* env, jclass, jobject plan, jobject y, jobject u, jobject v, jobject out) {
  mk_preprocess_args args;
  if (const int32_t status = read_plan(env, plan, &args); status != MK_OK) return -status;
  const Bytes planes[3] = {Bytes(env, y), Bytes(env, u), Bytes(env, v)};
  for (int p = 0; p < 3; ++p) {
    args.image.plane[p] = planes[p].data;
    args.image.plane_bytes[p] = planes[p].size;
  }
  const Bytes tensor(env, out);
  args.out = tensor.data;
  args.out_bytes = tensor.size;
  if (const int32_t status = mk_preprocess_check(&args); status != MK_OK) return -status;
  return mk_preprocess_scratch_bytes(&args);
}

// scores: n float32 or int8 (dtype: mk_dtype). indices: k int32; values: k float32, dequantized.
MK_JNI(jint, topK)(JNIEnv* env, jclass, jobject scores, jint dtype, jint n, jint k, jfloat scale, jint zero_point,
                   jobject indices, jobject values) {
  const Bytes in(env, scores), index(env, indices), value(env, values);
  int32_t status = index.check<int32_t>(k);
  if (status == MK_OK) status = value.check<float>(k);
  if (status == MK_OK) status = dtype == MK_DTYPE_INT8 ? in.check<int8_t>(n) : in.check<float>(n);
  if (status != MK_OK) return status;
  int32_t* const to_index = reinterpret_cast<int32_t*>(index.data);
  float* const to_value = reinterpret_cast<float*>(value.data);
  switch (dtype) {
    case MK_DTYPE_INT8:
      return mk_top_k_i8(reinterpret_cast<const int8_t*>(in.data), n, k, scale, zero_point, to_index, to_value);
    case MK_DTYPE_FLOAT32:
      return mk_top_k_f32(reinterpret_cast<const float*>(in.data), n, k, to_index, to_value);
    default:
      return MK_ERROR_DTYPE;
  }
}

// probabilities: n float32.
MK_JNI(jint, softmax)(JNIEnv* env, jclass, jobject scores, jint dtype, jint n, jfloat scale, jobject probabilities) {
  const Bytes in(env, scores), out(env, probabilities);
  int32_t status = out.check<float>(n);
  if (status == MK_OK) status = dtype == MK_DTYPE_INT8 ? in.check<int8_t>(n) : in.check<float>(n);
  if (status != MK_OK) return status;
  float* const to = reinterpret_cast<float*>(out.data);
  switch (dtype) {
    case MK_DTYPE_INT8:
      return mk_softmax_i8(reinterpret_cast<const int8_t*>(in.data), n, scale, to);
    case MK_DTYPE_FLOAT32:
      return mk_softmax_f32(reinterpret_cast<const float*>(in.data), n, to);
    default:
      return MK_ERROR_DTYPE;
  }
}

// Bytes of scratch that detectYolo needs; the negative status where something is wrong. The arguments as there.
MK_JNI(jlong, yoloScratchBytes)(JNIEnv* env, jclass, jobject output, jint dtype, jfloat scale, jint zero_point, jint anchors,
                                jint classes, jint layout, jint objectness, jint max_detections) {
  const mk_yolo_args args = yolo_args(Bytes(env, output), dtype, scale, zero_point, anchors, classes, layout, objectness,
                                      0, 0, max_detections);
  if (const int32_t status = mk_yolo_check(&args); status != MK_OK) return -status;
  return mk_yolo_scratch_bytes(&args);
}

// detections: max_detections of mk_detection, corners in pixels of the tensor. Returns how many there are, or the negative status.
MK_JNI(jint, detectYolo)(JNIEnv* env, jclass, jobject output, jint dtype, jfloat scale, jint zero_point, jint anchors,
                         jint classes, jint layout, jint objectness, jfloat confidence, jdouble iou_threshold,
                         jint max_detections, jobject detections, jobject scratch) {
  const mk_yolo_args args = yolo_args(Bytes(env, output), dtype, scale, zero_point, anchors, classes, layout, objectness,
                                      confidence, iou_threshold, max_detections);
  const Bytes found(env, detections), work(env, scratch);
  int32_t count = 0;
  int32_t status = found.check<mk_detection>(max_detections);
  if (status == MK_OK) status = mk_yolo(&args, reinterpret_cast<mk_detection*>(found.data), &count, work.data, work.size);
  return status == MK_OK ? count : -status;
}

// The corners of the first n detections: pixels of the tensor -> pixels of the frame that `plan` was written for. In place.
MK_JNI(jint, boxesToFrame)(JNIEnv* env, jclass, jobject plan, jobject detections, jint n) {
  mk_preprocess_args args;
  if (const int32_t status = read_plan(env, plan, &args); status != MK_OK) return status;
  const Bytes found(env, detections);
  if (const int32_t status = found.check<mk_detection>(n); status != MK_OK) return status;
  mk_detection* const each = reinterpret_cast<mk_detection*>(found.data);
  for (jint i = 0; i < n; ++i) {
    if (const int32_t status = mk_boxes_to_frame(&args, &each[i].x1, 1); status != MK_OK) return status;
  }
  return MK_OK;
}

// symbols, at: `steps` int32 each; values: `steps` float32. Returns how many symbols there are, or the negative status.
MK_JNI(jint, ctcGreedy)(JNIEnv* env, jclass, jobject scores, jint dtype, jint steps, jint classes, jint blank, jfloat scale,
                        jint zero_point, jobject symbols, jobject at, jobject values) {
  if (steps < 1 || classes < 1 || steps > MK_MAX_SIZE || classes > MK_MAX_SIZE) return -MK_ERROR_SIZE;
  const Bytes in(env, scores), symbol(env, symbols), place(env, at), value(env, values);
  const int64_t all = int64_t{steps} * classes;
  int32_t status = symbol.check<int32_t>(steps);
  if (status == MK_OK) status = place.check<int32_t>(steps);
  if (status == MK_OK) status = value.check<float>(steps);
  if (status == MK_OK) status = dtype == MK_DTYPE_INT8 ? in.check<int8_t>(all) : in.check<float>(all);
  if (status != MK_OK) return -status;
  int32_t* const to_symbol = reinterpret_cast<int32_t*>(symbol.data);
  int32_t* const to_place = reinterpret_cast<int32_t*>(place.data);
  float* const to_value = reinterpret_cast<float*>(value.data);
  int32_t count = 0;
  switch (dtype) {
    case MK_DTYPE_INT8:
      status = mk_ctc_greedy_i8(reinterpret_cast<const int8_t*>(in.data), steps, classes, blank, scale, zero_point,
                                to_symbol, to_place, to_value, &count);
      break;
    case MK_DTYPE_FLOAT32:
      status = mk_ctc_greedy_f32(reinterpret_cast<const float*>(in.data), steps, classes, blank, to_symbol, to_place,
                                 to_value, &count);
      break;
    default:
      status = MK_ERROR_DTYPE;
  }
  return status == MK_OK ? count : -status;
}

MK_JNI(jstring, statusName)(JNIEnv* env, jclass, jint status) { return env->NewStringUTF(mk_status_name(status)); }

MK_JNI(jstring, isa)(JNIEnv* env, jclass) { return env->NewStringUTF(mk_isa_name(mk_isa_current())); }

// Tests run every version; MK_ERROR_ISA where this processor has it not.
MK_JNI(jint, forceIsa)(JNIEnv*, jclass, jint isa) { return mk_isa_force(isa); }
