// Output tensor -> detections: non-maximum suppression, YOLO decoding, and boxes back in the coordinates of the frame.
#ifndef MOBILEKIT_DETECT_H_
#define MOBILEKIT_DETECT_H_

#include "mobilekit/preprocess.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mk_detection {
  float x1, y1, x2, y2;  // in the units of the tensor
  float score;
  int32_t class_id;
  int32_t index;  // which anchor (mk_yolo) it came from
} mk_detection;

// Greedy non-maximum suppression with the rules of torchvision.ops.nms: boxes are taken by falling score, the lower index
// first among equals; a box goes if its IoU with a box that was kept is above `iou_threshold` (equal stays), IoU in float32 as
// inter / (area_a + area_b - inter) with areas (x2 - x1) * (y2 - y1). Boxes that do not overlap, empty and NaN boxes suppress
// nothing. A NaN score is never kept.
//
// boxes: n x 4 float32 (x1, y1, x2, y2). classes: n, or null; with it only boxes of one class suppress each other, as
// torchvision.ops.batched_nms does. keep: room for max_keep indices; *kept: how many were written, best first.
// iou_threshold in [0, 1]; 0 <= n <= MK_MAX_SIZE; max_keep >= 1. scratch: mk_nms_scratch_bytes(n, max_keep) bytes, any alignment.
int64_t mk_nms_scratch_bytes(int32_t n, int32_t max_keep);
int32_t mk_nms(const float* boxes, const float* scores, const int32_t* classes, int32_t n, double iou_threshold,
               int32_t max_keep, int32_t* keep, int32_t* kept, void* scratch, int64_t scratch_bytes);

typedef enum mk_yolo_layout {
  MK_YOLO_CHANNELS_FIRST = 0,  // channels x anchors: Ultralytics v8, v11
  MK_YOLO_CHANNELS_LAST = 1    // anchors x channels: v5, v7, YOLOX
} mk_yolo_layout;

typedef enum mk_box_format {
  MK_BOX_CXCYWH = 0,  // centre and size
  MK_BOX_XYXY = 1     // corners
} mk_box_format;

// Channels of an anchor: 4 of the box, 1 of objectness if there is one, then the classes (scores after their sigmoid). The score
// of an anchor is its best class (the lower one among equals), times objectness; it is a candidate if score > confidence.
typedef struct mk_yolo_args {
  const void* data;
  int64_t data_bytes;
  int32_t dtype;  // MK_DTYPE_FLOAT32, or MK_DTYPE_INT8: value = scale * (q - zero_point), compared as integers
  float scale;
  int32_t zero_point;
  int32_t anchors, classes;
  int32_t layout;      // mk_yolo_layout
  int32_t objectness;  // 0 or 1
  int32_t box_format;  // mk_box_format
  float confidence;    // [0, 1]
  double iou_threshold;
  int32_t class_agnostic;  // not 0: boxes of different classes suppress each other
  int32_t max_detections;
} mk_yolo_args;

int32_t mk_yolo_check(const mk_yolo_args* args);
int64_t mk_yolo_scratch_bytes(const mk_yolo_args* args);  // 0 where the arguments are wrong

// Decodes, suppresses, and writes at most max_detections, best first. Every anchor can be a candidate: none is dropped.
int32_t mk_yolo(const mk_yolo_args* args, mk_detection* detections, int32_t* count, void* scratch,
                int64_t scratch_bytes);

// Boxes (n x 4, corners, in pixels of the tensor that `args` describes) -> corners in pixels of the frame as stored: out of the
// letterbox, unmirrored, turned back, into the crop. In place. Boxes are not clipped: a box may reach over the frame's edge.
int32_t mk_boxes_to_frame(const mk_preprocess_args* args, float* boxes, int32_t n);

#ifdef __cplusplus
}
#endif
#endif  // MOBILEKIT_DETECT_H_
