// CTC decoding: arguments, the greedy walk, and the prefix beam. The search for the best class of a step is in scores-inl.h.
#include "mobilekit/text.h"

#include "mobilekit/scores.h"
#include "scores.h"
#include "scratch.h"

namespace mobilekit {
namespace {

bool fits(int32_t n) { return n >= 1 && n <= MK_MAX_SIZE; }

int32_t check_greedy(const void* scores, int32_t steps, int32_t classes, int32_t blank, const int32_t* symbols,
                     const int32_t* at, const float* values, const int32_t* count) {
  if (scores == nullptr || symbols == nullptr || at == nullptr || values == nullptr || count == nullptr) {
    return MK_ERROR_NULL_POINTER;
  }
  if (!fits(steps) || !fits(classes)) return MK_ERROR_SIZE;
  if (blank < 0 || blank >= classes) return MK_ERROR_RANGE;
  return MK_OK;
}

template <typename T, typename Argmax, typename Number>
void greedy(const T* scores, int32_t steps, int32_t classes, int32_t blank, int32_t* symbols, int32_t* at,
            float* values, int32_t* count, Argmax argmax, Number number) {
  int32_t n = 0, before = blank;
  for (int32_t t = 0; t < steps; ++t) {
    const T* const row = scores + int64_t{t} * classes;
    const int32_t found = argmax(row, classes), symbol = found < 0 ? blank : found;
    if (symbol != blank && symbol != before) {
      symbols[n] = symbol;
      at[n] = t;
      values[n++] = number(row[symbol]);
    }
    before = symbol;
  }
  *count = n;
}

// ---- Prefix beam ---------------------------------------------------------------------------------------------------

// A prefix is a path through nodes towards the root, -1. Two nodes may spell the same prefix, when it left the beam and came
// back; `hash` finds that out, and the walk of `same` makes sure.
struct Node {
  int32_t parent, symbol, length;
  uint32_t hash;
};

constexpr int32_t kRoot = -1;

struct Beam {
  int32_t node;
  double blank, symbol;  // probability of the alignments that end in a blank, and in the last symbol
  double total() const { return blank + symbol; }
};

struct Extension {
  double probability;
  int32_t beam, symbol;  // beam: which one of the step is extended; symbol -1: it stays as it is
};

struct BeamSpace {
  Node* nodes;
  Beam *beams, *next;
  Extension* best;      // the beam_width best, worst at the root until they are sorted
  double *stay_blank, *stay_symbol;
  int32_t* parent;      // beam -> the beam that is its prefix without the last symbol, or -1
  int32_t* classes;     // best classes of a step
  float* probabilities;  // and their probabilities
  float* row;           // the step with NaN and negative numbers as 0
};

BeamSpace take_beam(Scratch& scratch, int32_t steps, int32_t classes, int32_t width) {
  BeamSpace space;
  space.nodes = scratch.take<Node>(int64_t{steps} * width);
  space.beams = scratch.take<Beam>(width);
  space.next = scratch.take<Beam>(width);
  space.best = scratch.take<Extension>(width);
  space.stay_blank = scratch.take<double>(width);
  space.stay_symbol = scratch.take<double>(width);
  space.parent = scratch.take<int32_t>(width);
  space.classes = scratch.take<int32_t>(int64_t{width} + 1);
  space.probabilities = scratch.take<float>(int64_t{width} + 1);
  space.row = scratch.take<float>(classes);
  return space;
}

bool same(const Node* nodes, int32_t a, int32_t b) {
  while (a != b) {
    if (a == kRoot || b == kRoot) return false;
    if (nodes[a].length != nodes[b].length || nodes[a].hash != nodes[b].hash || nodes[a].symbol != nodes[b].symbol) {
      return false;
    }
    a = nodes[a].parent;
    b = nodes[b].parent;
  }
  return true;
}

// Keeps the `room` most probable extensions; of equals the one that came first. A plain insertion: most offers lose against the
// last one at once.
class BestExtensions {
 public:
  BestExtensions(Extension* best, int32_t room) : best_(best), room_(room) {}

  // Whether an extension of this probability would find a place.
  bool takes(double probability) const {
    return probability > 0 && (count_ < room_ || probability > best_[room_ - 1].probability);
  }

  void offer(Extension x) {
    if (!takes(x.probability)) return;
    int32_t at = count_ < room_ ? count_++ : room_ - 1;
    for (; at > 0 && x.probability > best_[at - 1].probability; --at) best_[at] = best_[at - 1];
    best_[at] = x;
  }

  int32_t count() const { return count_; }

 private:
  Extension* best_;
  int32_t room_;
  int32_t count_ = 0;
};

// Power of two that brings x (> 0) to 0.5 .. 1, as an exponent.
int32_t exponent_of(double x) {
  int exponent = 0;
  (void)__builtin_frexp(x, &exponent);
  return exponent;
}

class BeamSearch {
 public:
  BeamSearch(const BeamSpace& space, int32_t classes, int32_t blank, int32_t width)
      : s_(space), classes_(classes), blank_(blank), width_(width) {
    s_.beams[0] = {kRoot, 1.0, 0.0};
    count_ = 1;
  }

  void step(const float* probabilities) {
    for (int32_t c = 0; c < classes_; ++c) s_.row[c] = probabilities[c] > 0 ? probabilities[c] : 0.0f;
    // One more than the width: the blank may be among them.
    const int32_t k = width_ + 1 < classes_ ? width_ + 1 : classes_;
    (void)mk_top_k_f32(s_.row, classes_, k, s_.classes, s_.probabilities);  // arguments are right by construction
    stay();
    BestExtensions best(s_.best, width_);
    for (int32_t i = 0; i < count_; ++i) best.offer({s_.stay_blank[i] + s_.stay_symbol[i], i, -1});
    for (int32_t i = 0; i < count_; ++i) {
      int32_t used = 0;
      for (int32_t j = 0; j < k && used < width_; ++j) {
        const int32_t symbol = s_.classes[j];
        if (symbol == blank_) continue;
        ++used;
        const double probability = extended(i, symbol);
        // Asked in this order because few find a place, and the other question walks over all beams.
        if (best.takes(probability) && !is_a_beam(i, symbol)) best.offer({probability, i, symbol});
      }
    }
    replace(best.count());
  }

  int32_t count() const { return count_; }
  int32_t length(int32_t i) const { return s_.beams[i].node == kRoot ? 0 : s_.nodes[s_.beams[i].node].length; }
  double probability(int32_t i) const { return __builtin_ldexp(s_.beams[i].total(), exponent_); }

  void spell(int32_t i, int32_t* symbols) const {
    int32_t at = length(i);
    for (int32_t node = s_.beams[i].node; node != kRoot; node = s_.nodes[node].parent) {
      symbols[--at] = s_.nodes[node].symbol;
    }
  }

 private:
  int32_t last(int32_t i) const { return s_.beams[i].node == kRoot ? -1 : s_.nodes[s_.beams[i].node].symbol; }

  // Probability of beam i with `symbol` appended; after the same symbol only through a blank.
  double extended(int32_t i, int32_t symbol) const {
    const double from = symbol == last(i) ? s_.beams[i].blank : s_.beams[i].total();
    return from * static_cast<double>(s_.row[symbol]);
  }

  // What every beam keeps: by a blank, by its last symbol once more, and by its own prefix growing into it.
  void stay() {
    for (int32_t i = 0; i < count_; ++i) {
      const Beam& beam = s_.beams[i];
      s_.stay_blank[i] = beam.total() * static_cast<double>(s_.row[blank_]);
      s_.stay_symbol[i] = 0;
      s_.parent[i] = -1;
      if (beam.node == kRoot) continue;
      s_.stay_symbol[i] = beam.symbol * static_cast<double>(s_.row[last(i)]);
      for (int32_t j = 0; j < count_; ++j) {
        if (length(j) + 1 == length(i) && same(s_.nodes, s_.beams[j].node, s_.nodes[beam.node].parent)) {
          s_.parent[i] = j;
          s_.stay_symbol[i] += extended(j, last(i));
        }
      }
    }
  }

  bool is_a_beam(int32_t i, int32_t symbol) const {
    for (int32_t m = 0; m < count_; ++m) {
      if (s_.parent[m] == i && last(m) == symbol) return true;
    }
    return false;
  }

  void replace(int32_t count) {
    if (count == 0) {  // a step of zeros: nothing is possible any more
      count_ = 0;
      return;
    }
    const int32_t scale = exponent_of(s_.best[0].probability);
    for (int32_t i = 0; i < count; ++i) {
      const Extension& x = s_.best[i];
      Beam& to = s_.next[i];
      if (x.symbol < 0) {
        to = {s_.beams[x.beam].node, s_.stay_blank[x.beam], s_.stay_symbol[x.beam]};
      } else {
        const int32_t parent = s_.beams[x.beam].node;
        const uint32_t hash = (parent == kRoot ? 2166136261u : s_.nodes[parent].hash) ^ static_cast<uint32_t>(x.symbol);
        s_.nodes[nodes_] = {parent, x.symbol, length(x.beam) + 1, hash * 16777619u};
        to = {nodes_++, 0.0, x.probability};
      }
      to.blank = __builtin_ldexp(to.blank, -scale);
      to.symbol = __builtin_ldexp(to.symbol, -scale);
    }
    exponent_ += scale;
    count_ = count;
    Beam* const swap = s_.beams;
    s_.beams = s_.next;
    s_.next = swap;
  }

  BeamSpace s_;
  int32_t classes_, blank_, width_;
  int32_t count_ = 0, nodes_ = 0, exponent_ = 0;
};

}  // namespace
}  // namespace mobilekit

extern "C" {

int32_t mk_ctc_greedy_f32(const float* scores, int32_t steps, int32_t classes, int32_t blank, int32_t* symbols,
                          int32_t* at, float* values, int32_t* count) {
  using namespace mobilekit;
  const int32_t status = check_greedy(scores, steps, classes, blank, symbols, at, values, count);
  if (status != MK_OK) return status;
  if (reinterpret_cast<uintptr_t>(scores) % sizeof(float) != 0) return MK_ERROR_ALIGNMENT;
  greedy(scores, steps, classes, blank, symbols, at, values, count, score_ops().argmax_f32, [](float x) { return x; });
  return MK_OK;
}

int32_t mk_ctc_greedy_i8(const int8_t* scores, int32_t steps, int32_t classes, int32_t blank, float scale,
                         int32_t zero_point, int32_t* symbols, int32_t* at, float* values, int32_t* count) {
  using namespace mobilekit;
  const int32_t status = check_greedy(scores, steps, classes, blank, symbols, at, values, count);
  if (status != MK_OK) return status;
  if (!(scale > 0) || scale - scale != 0 || zero_point < -128 || zero_point > 127) return MK_ERROR_NORMALIZATION;
  greedy(scores, steps, classes, blank, symbols, at, values, count, score_ops().argmax_i8,
         [=](int8_t q) { return scale * static_cast<float>(q - zero_point); });
  return MK_OK;
}

int64_t mk_ctc_beam_scratch_bytes(int32_t steps, int32_t classes, int32_t beam_width) {
  using namespace mobilekit;
  if (!fits(steps) || !fits(classes) || beam_width < 1 || beam_width > MK_MAX_BEAM) return 0;
  if (int64_t{steps} * beam_width > MK_MAX_SIZE) return 0;
  Scratch count(nullptr);
  take_beam(count, steps, classes, beam_width);
  return count.needed();
}

int32_t mk_ctc_beam_f32(const float* probabilities, int32_t steps, int32_t classes, int32_t blank, int32_t beam_width,
                        int32_t results, int32_t* symbols, int32_t* lengths, double* probability, int32_t* count,
                        void* scratch, int64_t scratch_bytes) {
  using namespace mobilekit;
  if (probabilities == nullptr || symbols == nullptr || lengths == nullptr || probability == nullptr ||
      count == nullptr) {
    return MK_ERROR_NULL_POINTER;
  }
  if (!fits(steps) || !fits(classes)) return MK_ERROR_SIZE;
  if (beam_width < 1 || beam_width > MK_MAX_BEAM || results < 1 || results > beam_width) return MK_ERROR_RANGE;
  if (int64_t{steps} * beam_width > MK_MAX_SIZE) return MK_ERROR_SIZE;
  if (blank < 0 || blank >= classes) return MK_ERROR_RANGE;
  if (reinterpret_cast<uintptr_t>(probabilities) % sizeof(float) != 0) return MK_ERROR_ALIGNMENT;
  if (scratch == nullptr || scratch_bytes < mk_ctc_beam_scratch_bytes(steps, classes, beam_width)) {
    return MK_ERROR_SCRATCH;
  }
  Scratch pieces(scratch);
  BeamSearch search(take_beam(pieces, steps, classes, beam_width), classes, blank, beam_width);
  for (int32_t t = 0; t < steps; ++t) search.step(probabilities + int64_t{t} * classes);
  const int32_t found = search.count() < results ? search.count() : results;
  for (int32_t i = 0; i < found; ++i) {
    lengths[i] = search.length(i);
    probability[i] = search.probability(i);
    search.spell(i, symbols + int64_t{i} * steps);
  }
  *count = found;
  return MK_OK;
}

}  // extern "C"
