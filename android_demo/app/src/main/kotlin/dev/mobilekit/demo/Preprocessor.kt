package dev.mobilekit.demo

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.ceil
import kotlin.math.max
import kotlin.math.min

/** Frame -> input tensor, as the sidecar says. What depends on the frame's geometry is worked out when that changes. */
class Preprocessor(private val spec: PreprocessSpec, tensor: TensorSpec) {
    private val dtype = DTYPES.indexOf(tensor.dtype)
    private val layout = layoutOf(spec, tensor)
    private val levels = levelsOf(spec, tensor.quantization)
    /** How the last frame became the tensor; [Kernels.boxesToFrame] goes back. */
    internal val plan = direct(Kernels.planBytes())
    private val ints = IntArray(20)
    private val crop = DoubleArray(4)
    private val geometry = IntArray(7)
    private var scratch = direct(0)
    private var ready = false

    /** Bytes of the input tensor. */
    val inputBytes: Int = spec.height * spec.width * spec.depth * elementBytes(tensor.dtype)

    init {
        if (dtype < 0) throw SidecarException("input '${tensor.name}' is ${tensor.dtype}: no image")
    }

    /** Writes [input], a direct buffer of [inputBytes]; [KernelException] where the frame's description is impossible. */
    fun run(frame: Frame, input: ByteBuffer) {
        if (!ready || changed(frame)) prepare(frame, input)
        Kernels.check(Kernels.preprocess(plan, frame.y, frame.u, frame.v, input, scratch), "preprocess")
    }

    private fun changed(frame: Frame): Boolean =
        geometry[0] != frame.width || geometry[1] != frame.height || geometry[2] != frame.yRowStride ||
            geometry[3] != frame.uRowStride || geometry[4] != frame.vRowStride ||
            geometry[5] != frame.chromaPixelStride || geometry[6] != frame.rotation

    private fun prepare(frame: Frame, input: ByteBuffer) {
        ready = false
        geometry[0] = frame.width
        geometry[1] = frame.height
        geometry[2] = frame.yRowStride
        geometry[3] = frame.uRowStride
        geometry[4] = frame.vRowStride
        geometry[5] = frame.chromaPixelStride
        geometry[6] = frame.rotation
        val turned = frame.rotation == 90 || frame.rotation == 270
        place(frame.width.toDouble(), frame.height.toDouble(), turned)
        ints[0] = FORMAT_YUV420
        ints[1] = frame.width
        ints[2] = frame.height
        ints[3] = frame.chromaPixelStride
        ints[4] = frame.yRowStride
        ints[5] = frame.uRowStride
        ints[6] = frame.vRowStride
        ints[7] = frame.rotation
        ints[8] = 0 // not mirrored: a model that reads text or knows left from right wants the world as it is
        ints[9] = FILTERS.indexOf(spec.filter)
        ints[10] = COLOR_BT601_FULL
        ints[11] = spec.width
        ints[12] = spec.height
        ints[13] = CHANNELS.indexOf(spec.channels)
        ints[14] = dtype
        ints[15] = layout
        Kernels.check(Kernels.writePlan(plan, ints, crop, levels), "preprocess")
        val bytes = Kernels.scratchBytes(plan, frame.y, frame.u, frame.v, input)
        if (bytes < 0) Kernels.check((-bytes).toInt(), "preprocess")
        if (scratch.capacity() < bytes) scratch = direct(bytes.toInt())
        ready = true
    }

    /** Fills [crop] and the rectangle of [ints]; mobilekit/kernels/request.py has the same sums. */
    private fun place(width: Double, height: Double, turned: Boolean) {
        crop[0] = 0.0
        crop[1] = 0.0
        crop[2] = width
        crop[3] = height
        ints[16] = 0
        ints[17] = 0
        ints[18] = spec.width
        ints[19] = spec.height
        val pictureWidth = if (turned) height else width
        val pictureHeight = if (turned) width else height
        when (spec.fit) {
            "center_crop" -> {
                val across = if (turned) spec.height else spec.width
                val down = if (turned) spec.width else spec.height
                val factor = min(width / across, height / down) * spec.cropFraction
                crop[2] = min(width, across * factor)
                crop[3] = min(height, down * factor)
                crop[0] = (width - crop[2]) / 2
                crop[1] = (height - crop[3]) / 2
            }
            "letterbox" -> {
                val factor = min(spec.width / pictureWidth, spec.height / pictureHeight)
                // rint: half to even, as Python rounds.
                ints[18] = min(spec.width, max(1, Math.rint(pictureWidth * factor).toInt()))
                ints[19] = min(spec.height, max(1, Math.rint(pictureHeight * factor).toInt()))
                ints[16] = (spec.width - ints[18]) / 2
                ints[17] = (spec.height - ints[19]) / 2
            }
            "pad_right" ->
                ints[18] = max(1, min(spec.width, ceil(spec.height * pictureWidth / pictureHeight).toInt()))
        }
    }
}

/**
 * Whole again: from 0 to the capacity. Of [Buffer], because ByteBuffer has clear() of its own only since API 33, and a call of
 * that one is a NoSuchMethodError before.
 */
internal fun Buffer.whole() {
    clear()
}

/** A direct buffer in the byte order of the processor. */
internal fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

/** pad level, multiply, add: ((level - mean) / std) / scale + zero point in float64, rounded once. */
private fun levelsOf(spec: PreprocessSpec, quantization: AffineSpec?): FloatArray {
    val levels = FloatArray(9)
    for (channel in 0 until 3) {
        val mean = spec.mean[if (spec.mean.size == 1) 0 else min(channel, spec.mean.size - 1)]
        val std = spec.std[if (spec.std.size == 1) 0 else min(channel, spec.std.size - 1)]
        val factor = 1.0 / (std * (quantization?.scale ?: 1.0))
        levels[channel] = spec.padValue.toFloat()
        levels[3 + channel] = factor.toFloat()
        levels[6 + channel] = ((quantization?.zeroPoint ?: 0) - mean * factor).toFloat()
    }
    return levels
}

/** Which axis of the file's input holds the channels. */
private fun layoutOf(spec: PreprocessSpec, tensor: TensorSpec): Int = when (tensor.shape) {
    listOf(1, spec.height, spec.width, spec.depth) -> LAYOUTS.indexOf("nhwc")
    listOf(1, spec.depth, spec.height, spec.width) -> LAYOUTS.indexOf("nchw")
    else -> throw SidecarException(
        "the preprocessing makes ${spec.height}x${spec.width} pixels of ${spec.depth} channels, " +
            "but input '${tensor.name}' is ${tensor.shape}",
    )
}
