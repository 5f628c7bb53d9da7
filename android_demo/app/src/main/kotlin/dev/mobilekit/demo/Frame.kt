package dev.mobilekit.demo

import java.nio.ByteBuffer

/**
 * A camera frame, YUV_420_888: the planes stay where the camera put them.
 *
 * Strides in bytes, whatever the device chose. [rotation]: clockwise degrees that bring the frame upright. Times are of the
 * clock of [System.nanoTime]. Who takes a frame closes it; its buffers are gone then.
 */
interface Frame {
    val width: Int
    val height: Int
    val y: ByteBuffer
    val u: ByteBuffer
    val v: ByteBuffer
    val yRowStride: Int
    val uRowStride: Int
    val vRowStride: Int
    val chromaPixelStride: Int
    val rotation: Int

    /** Start of the exposure of the first row. */
    val sensorNs: Long

    /** When the app got the frame. */
    val dueNs: Long

    fun close()
}
