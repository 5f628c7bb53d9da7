// Where the samples of a resized picture come from: pairs of neighbours for the interpolating filters, weighted ranges for
// the filters that average. Plain double arithmetic, the same on every processor.
#ifndef MOBILEKIT_SRC_GEOMETRY_H_
#define MOBILEKIT_SRC_GEOMETRY_H_

#include <stdint.h>

#include "mobilekit/preprocess.h"

namespace mobilekit {

inline bool is_finite(double x) { return x - x == 0.0; }

// One axis of the picture: output sample i comes from source samples index(i), index(i) + 1.
struct Axis {
  double start, length;  // crop, in source pixels
  int low, high;         // first and last source pixel that may be read
  int count;             // samples of the picture
  bool reversed;
  int32_t filter;
};

struct Tap {
  int index;
  int weight;  // of index + 1, in 1/128; 0 at the last pixel
};

inline int floor_to_int(double x) {  // |x| < 2^25 here
  const int whole = static_cast<int>(x);
  return whole > x ? whole - 1 : whole;
}

inline int clamp_int(int x, int low, int high) { return x < low ? low : x > high ? high : x; }

inline Tap tap_of(const Axis& axis, int i) {
  if (axis.reversed) i = axis.count - 1 - i;
  double at;
  switch (axis.filter) {
    case MK_FILTER_NEAREST:
      return {clamp_int(floor_to_int(axis.start + (i + 0.5) * axis.length / axis.count), axis.low, axis.high), 0};
    case MK_FILTER_BILINEAR_ALIGN_CORNERS:
      at = axis.count == 1 ? axis.start : axis.start + i * (axis.length - 1) / (axis.count - 1);
      break;
    default:
      at = axis.start + (i + 0.5) * axis.length / axis.count - 0.5;
  }
  if (at <= axis.low) return {axis.low, 0};
  if (at >= axis.high) return {axis.high, 0};
  Tap tap;
  tap.index = floor_to_int(at);
  tap.weight = static_cast<int>((at - tap.index) * 128.0 + 0.5);
  if (tap.weight == 128) tap = {tap.index + 1, 0};  // at < high, so index + 1 exists
  return tap;
}

inline Axis make_axis(double start, double length, int size, int count, bool reversed, int32_t filter) {
  Axis axis = {start, length, 0, 0, count, reversed, filter};
  const double end = start + length;
  axis.low = floor_to_int(start);
  axis.high = floor_to_int(end);
  if (axis.high == end) --axis.high;  // the last pixel that the crop touches
  axis.high = clamp_int(axis.high, axis.low, size - 1);
  return axis;
}

// ---- Filters that average ------------------------------------------------------------------------------------------

// Whole weights are 2^14: products of a byte and sums of a range stay inside int32.
inline constexpr int kWeightOne = 1 << 14;

// Most source pixels that one sample may average. Weights are rounded to 2^-14, so a sample is off by at most
// kMaxWeights / 2 * 255 / 2^14 = 2 levels, which only 256 errors of the same sign could make.
inline constexpr int kMaxWeights = 256;

inline bool averages(int32_t filter) { return filter >= MK_FILTER_AREA; }

// Half the width of the filter, in units of the larger of an input and an output pixel.
inline double support_of(int32_t filter) {
  return filter == MK_FILTER_AREA ? 0.5 : filter == MK_FILTER_ANTIALIAS ? 1.0 : 2.0;
}

inline double step_of(const Axis& axis) {
  const double step = axis.length / axis.count;
  return step < 1.0 ? 1.0 : step;
}

// Bound of the source pixels of one sample: 2 * support * step, and one more at each end.
inline int max_weights(const Axis& axis) {
  const double span = 2.0 * support_of(axis.filter) * step_of(axis) + 2.0;
  const int pixels = axis.high - axis.low + 1;
  return span < pixels ? static_cast<int>(span) : pixels;
}

// Value of the filter for pixel `x` (its left edge) of a sample centred at `center`.
inline double filter_value(int32_t filter, double x, double center, double step) {
  if (filter == MK_FILTER_AREA) {  // length of the pixel inside the sample
    const double left = center - step / 2, right = center + step / 2;
    const double overlap = (x + 1 < right ? x + 1 : right) - (x > left ? x : left);
    return overlap > 0 ? overlap : 0;
  }
  double t = (x + 0.5 - center) / step;
  if (t < 0) t = -t;
  if (filter == MK_FILTER_ANTIALIAS) return t < 1 ? 1 - t : 0;
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;  // Keys' cubic with a = -0.5
  return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

struct Range {
  int first, count;
};

// The pixels of sample i and their weights, which sum to kWeightOne. `weights` holds max_weights(axis) entries.
inline Range weights_of(const Axis& axis, int i, int16_t* weights) {
  if (axis.reversed) i = axis.count - 1 - i;
  const double step = step_of(axis), support = support_of(axis.filter) * step;
  const double center = axis.start + (i + 0.5) * axis.length / axis.count;
  // Pixels whose centre lies within the support (for AREA: that overlap it), cut off at the edges of the crop.
  const double reach = axis.filter == MK_FILTER_AREA ? support + 0.5 : support;
  int first = clamp_int(floor_to_int(center - reach + 0.5), axis.low, axis.high);
  int last = clamp_int(floor_to_int(center + reach - 0.5), axis.low, axis.high);
  const int most = max_weights(axis);
  if (last - first + 1 > most) last = first + most - 1;
  double sum = 0;
  for (int x = first; x <= last; ++x) sum += filter_value(axis.filter, x, center, step);
  int total = 0, largest = 0;
  for (int x = first; x <= last; ++x) {
    // A sum of 0 needs a support that holds no pixel centre; then the nearest pixel is the sample.
    const double w = sum > 0 ? filter_value(axis.filter, x, center, step) / sum : x == first ? 1.0 : 0.0;
    const int rounded = floor_to_int(w * kWeightOne + 0.5);
    weights[x - first] = static_cast<int16_t>(rounded);
    total += rounded;
    if (weights[x - first] > weights[largest]) largest = x - first;
  }
  // What rounding lost or won goes to the largest weight, so that flat areas keep their level.
  weights[largest] = static_cast<int16_t>(weights[largest] + kWeightOne - total);
  return {first, last - first + 1};
}

// The same range in chroma samples (two pixels each, the first even), weights added up. In place.
inline Range fold_to_chroma(Range pixels, int16_t* weights) {
  const Range chroma = {pixels.first >> 1, ((pixels.first + pixels.count - 1) >> 1) - (pixels.first >> 1) + 1};
  int from = 0;
  for (int c = 0; c < chroma.count; ++c) {
    int sum = 0;
    for (; from < pixels.count && (pixels.first + from) >> 1 == chroma.first + c; ++from) sum += weights[from];
    weights[c] = static_cast<int16_t>(sum);
  }
  return chroma;
}

}  // namespace mobilekit

#endif  // MOBILEKIT_SRC_GEOMETRY_H_
