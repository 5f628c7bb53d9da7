package dev.mobilekit.demo

import java.nio.ByteBuffer

/**
 * The C++ kernels, the same that Python runs (cpp/include/mobilekit; bound in cpp/bindings/jni.cc).
 *
 * Every buffer is direct and counts from its first byte to its capacity. A call allocates nothing and answers with a status;
 * [check] makes an exception of it.
 */
object Kernels {
    init {
        System.loadLibrary("mobilekit")
    }

    /** Size of a plan: what stays the same from frame to frame, in a buffer of the caller's. */
    @JvmStatic external fun planBytes(): Int

    /**
     * Fills a plan. [ints]: format, width, height, chroma pixel stride, row strides of Y U V, rotation, mirror, filter, colour,
     * output width and height, channels, dtype, layout, rectangle x y width height. [crop]: x, y, width, height in pixels of
     * the frame as stored. [levels]: pad level, multiply, add, three of each.
     */
    @JvmStatic external fun writePlan(plan: ByteBuffer, ints: IntArray, crop: DoubleArray, levels: FloatArray): Int

    /** Bytes of scratch that [preprocess] needs; a negative status where something is wrong. */
    @JvmStatic external fun scratchBytes(
        plan: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?, out: ByteBuffer?,
    ): Long

    /** Camera frame -> input tensor, in one pass. */
    @JvmStatic external fun preprocess(
        plan: ByteBuffer, y: ByteBuffer?, u: ByteBuffer?, v: ByteBuffer?, out: ByteBuffer?, scratch: ByteBuffer?,
    ): Int

    /** The [k] best of [n] scores; [indices] takes int32, [values] float32. */
    @JvmStatic external fun topK(
        scores: ByteBuffer, dtype: Int, n: Int, k: Int, scale: Float, zeroPoint: Int, indices: ByteBuffer, values: ByteBuffer,
    ): Int

    /** [n] probabilities, float32. */
    @JvmStatic external fun softmax(scores: ByteBuffer, dtype: Int, n: Int, scale: Float, probabilities: ByteBuffer): Int

    /** Bytes of scratch that [detectYolo] needs; a negative status where something is wrong. */
    @JvmStatic external fun yoloScratchBytes(
        output: ByteBuffer, dtype: Int, scale: Float, zeroPoint: Int, anchors: Int, classes: Int, layout: Int, objectness: Int,
        maxDetections: Int,
    ): Long

    /**
     * Output of a YOLO head -> [detections], [DETECTION_BYTES] each: x1 y1 x2 y2 score float32, class and anchor int32, best
     * first, in pixels of the input tensor. How many there are, or a negative status.
     */
    @JvmStatic external fun detectYolo(
        output: ByteBuffer, dtype: Int, scale: Float, zeroPoint: Int, anchors: Int, classes: Int, layout: Int, objectness: Int,
        confidence: Float, iouThreshold: Double, maxDetections: Int, detections: ByteBuffer, scratch: ByteBuffer,
    ): Int

    /** Corners of the first [n] detections -> pixels of the frame that [plan] was written for, as stored. */
    @JvmStatic external fun boxesToFrame(plan: ByteBuffer, detections: ByteBuffer, n: Int): Int

    /** Scores of [steps] x [classes] -> symbols, where each was first seen, its score there. How many, or a negative status. */
    @JvmStatic external fun ctcGreedy(
        scores: ByteBuffer, dtype: Int, steps: Int, classes: Int, blank: Int, scale: Float, zeroPoint: Int, symbols: ByteBuffer,
        at: ByteBuffer, values: ByteBuffer,
    ): Int

    @JvmStatic external fun statusName(status: Int): String

    /** Which instruction set runs: scalar, avx2, avx512, neon. */
    @JvmStatic external fun isa(): String

    /** For tests: 0 scalar, 1 AVX2, 2 AVX-512, 3 NEON. */
    @JvmStatic external fun forceIsa(isa: Int): Int

    const val OK = 0
    const val DETECTION_BYTES = 28

    /** [KernelException] unless [status] is OK. */
    fun check(status: Int, what: String) {
        if (status != OK) throw KernelException("$what: ${statusName(status)}")
    }
}

/** [answer], a count, or [KernelException] where it is a negative status. */
internal fun counted(answer: Int, what: String): Int {
    if (answer < 0) Kernels.check(-answer, what)
    return answer
}

/** A kernel refused its arguments, e.g. strides that lead out of a plane. */
class KernelException(message: String) : Exception(message)

// Names of the sidecar in the order of the enums of cpp/include/mobilekit: the position is the number.
internal val FILTERS = listOf("nearest", "bilinear", "bilinear-align-corners", "area", "antialias", "bicubic")
internal val DTYPES = listOf("int8", "uint8", "float32", "int16", "float16")
internal val CHANNELS = listOf("rgb", "bgr", "gray")
internal val LAYOUTS = listOf("nhwc", "nchw")
internal const val FORMAT_YUV420 = 0
internal const val COLOR_BT601_FULL = 0
internal const val DTYPE_INT8 = 0
internal const val DTYPE_FLOAT32 = 2

/** Bytes of one element of [dtype], a name of [DTYPES]. */
internal fun elementBytes(dtype: String): Int = when (dtype) {
    "int8", "uint8" -> 1
    "int16", "float16" -> 2
    else -> 4
}
