package dev.mobilekit.demo

import java.nio.ByteBuffer

/** A frame in memory; [closed] counts. */
class FakeFrame(
    override val width: Int,
    override val height: Int,
    override val y: ByteBuffer,
    override val u: ByteBuffer,
    override val v: ByteBuffer,
    override val yRowStride: Int,
    override val uRowStride: Int,
    override val vRowStride: Int,
    override val chromaPixelStride: Int,
    override val rotation: Int,
) : Frame {
    override var sensorNs = 0L
    override var dueNs = 0L

    @Volatile var closed = 0

    override fun close() {
        closed++
    }

    companion object {
        /** NV21 of one grey level. */
        fun grey(width: Int, height: Int, level: Int = 128, rotation: Int = 90): FakeFrame {
            val y = filled(width * height, level)
            val vu = filled(width * height / 2, 128)
            val u = vu.duplicate().also { it.position(1) }.slice()
            return FakeFrame(width, height, y, u, vu, width, width, width, 2, rotation)
        }

        private fun filled(bytes: Int, level: Int) = direct(bytes).also { for (i in 0 until bytes) it.put(i, level.toByte()) }
    }
}

/** Gives back what it is told; the runtime's library cannot be loaded outside of Android. */
class FakeRunner(inputBytes: Int, private val answer: ByteArray, override val refusal: String? = null) : ModelRunner {
    override val input: ByteBuffer = direct(inputBytes)
    override val output: ByteBuffer = direct(answer.size)
    override val backend = "a fake"

    @Volatile var runs = 0
    @Volatile var closed = false

    override fun run() {
        check(!closed) { "used after it was closed" }
        for (i in answer.indices) output.put(i, answer[i])
        runs++
    }

    override fun close() {
        closed = true
    }
}
