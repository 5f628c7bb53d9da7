package dev.mobilekit.demo

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.CaptureResult
import android.hardware.camera2.TotalCaptureResult
import android.media.Image
import android.media.ImageReader
import android.os.Handler
import android.os.HandlerThread
import android.os.SystemClock
import android.util.Log
import android.util.Range
import android.util.Size
import android.view.Surface
import java.nio.ByteBuffer
import kotlin.math.abs

/** Which way the camera looks. */
enum class Facing { BACK, FRONT }

/**
 * Camera2, YUV_420_888, latest frame only: the one class that touches the camera.
 *
 * Four images: one in the mailbox, one in the worker's hands, one on its way out of acquireLatestImage, one for the camera to
 * write. A lost camera is opened again as soon as the system says that it is free.
 */
class Camera2Source(
    context: Context,
    facing: Facing,
    wanted: Size,
    fps: Int?,
    /** Clockwise degrees of the display from its natural orientation. */
    displayDegrees: Int,
) : FrameSource {
    private val manager = context.getSystemService(CameraManager::class.java)
    private val id: String
    private val size: Size
    private val rotation: Int
    private val fpsRange: Range<Int>?
    private val clock = CameraClock(SystemClock::elapsedRealtimeNanos)
    override val facts: CameraFacts

    private var thread: HandlerThread? = null
    private var handler: Handler? = null
    private var device: CameraDevice? = null
    private var stream: Stream? = null
    private var preview: Surface? = null
    private var listener: FrameSource.Listener? = null
    private var opening = false

    init {
        val direction = when (facing) {
            Facing.BACK -> CameraCharacteristics.LENS_FACING_BACK
            Facing.FRONT -> CameraCharacteristics.LENS_FACING_FRONT
        }
        id = try {
            manager.cameraIdList.firstOrNull { manager.getCameraCharacteristics(it).get(CameraCharacteristics.LENS_FACING) == direction }
        } catch (error: CameraAccessException) {
            throw CameraException("the cameras cannot be listed: ${error.message}")
        } ?: throw CameraException("this device has no ${facing.name.lowercase()} camera")
        val characteristics = manager.getCameraCharacteristics(id)
        val sizes = characteristics.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)
            ?.getOutputSizes(ImageFormat.YUV_420_888)?.toList().orEmpty()
        // The nearest in pixels; no camera has to offer the one that was asked for.
        size = sizes.minByOrNull { abs(it.width.toLong() * it.height - wanted.width.toLong() * wanted.height) }
            ?: throw CameraException("camera $id gives no YUV_420_888 frames")
        val sensor = characteristics.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        rotation = uprightRotation(sensor, displayDegrees, facing)
        val ranges = characteristics.get(CameraCharacteristics.CONTROL_AE_AVAILABLE_TARGET_FPS_RANGES).orEmpty()
        // A fixed rate if there is one: a range lets the camera go down to its lower end in the dark.
        fpsRange = fps?.let { rate -> ranges.filter { it.upper == rate }.maxByOrNull { it.lower } }
        facts = CameraFacts(
            name = "camera $id (${facing.name.lowercase()})",
            width = size.width,
            height = size.height,
            rotation = rotation,
            realtimeClock = characteristics.get(CameraCharacteristics.SENSOR_INFO_TIMESTAMP_SOURCE) ==
                CameraCharacteristics.SENSOR_INFO_TIMESTAMP_SOURCE_REALTIME,
        )
    }

    override fun start(preview: Surface?, listener: FrameSource.Listener) {
        check(thread == null) { "started twice" }
        this.preview = preview
        this.listener = listener
        val thread = HandlerThread("mobilekit-camera").also { it.start() }
        val handler = Handler(thread.looper)
        this.thread = thread
        this.handler = handler
        manager.registerAvailabilityCallback(availability, handler)
        handler.post(::open)
    }

    /** Stop the worker first: a frame that is still out keeps its memory until the process ends. */
    override fun stop() {
        val thread = this.thread ?: return
        manager.unregisterAvailabilityCallback(availability)
        handler?.post {
            listener = null
            closeDevice()
            thread.quitSafely()
        }
        thread.join()
        this.thread = null
        handler = null
    }

    private val availability = object : CameraManager.AvailabilityCallback() {
        override fun onCameraAvailable(cameraId: String) {
            if (cameraId == id && device == null && !opening) open()
        }
    }

    @SuppressLint("MissingPermission") // the activity asks before it starts this
    private fun open() {
        val listener = this.listener ?: return
        if (device != null || opening) return
        listener.onState(CameraState.Opening)
        opening = true
        try {
            manager.openCamera(id, deviceCallback, handler)
        } catch (error: CameraAccessException) {
            opening = false
            listener.onState(CameraState.Lost(words(error)))
        } catch (error: SecurityException) {
            opening = false
            listener.onState(CameraState.Failed("the camera is not allowed: ${error.message}"))
        }
    }

    private val deviceCallback = object : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            opening = false
            if (listener == null) return camera.close()
            device = camera
            startSession(camera)
        }

        override fun onDisconnected(camera: CameraDevice) = lose(camera, "another app took it")

        override fun onError(camera: CameraDevice, error: Int) = lose(camera, "error $error of its driver")

        private fun lose(camera: CameraDevice, reason: String) {
            opening = false
            camera.close()
            closeDevice()
            listener?.onState(CameraState.Lost(reason))
        }
    }

    @Suppress("DEPRECATION") // createCaptureSession with a SessionConfiguration needs API 28
    private fun startSession(camera: CameraDevice) {
        val stream = Stream(ImageReader.newInstance(size.width, size.height, ImageFormat.YUV_420_888, MAX_IMAGES))
        stream.reader.setOnImageAvailableListener({ onImage(stream) }, handler)
        this.stream = stream
        val targets = listOfNotNull(preview?.takeIf(Surface::isValid), stream.reader.surface)
        try {
            val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
            targets.forEach(request::addTarget)
            fpsRange?.let { request.set(CaptureRequest.CONTROL_AE_TARGET_FPS_RANGE, it) }
            camera.createCaptureSession(targets, sessionCallback(request), handler)
        } catch (error: CameraAccessException) {
            listener?.onState(CameraState.Lost(words(error)))
        } catch (error: IllegalStateException) { // closed in between
            listener?.onState(CameraState.Lost(error.message ?: "it was closed"))
        } catch (error: IllegalArgumentException) { // the preview's surface went away in between
            listener?.onState(CameraState.Failed(error.message ?: "the preview cannot be shown"))
        }
    }

    private fun sessionCallback(request: CaptureRequest.Builder) = object : CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            try {
                session.setRepeatingRequest(request.build(), captureCallback, handler)
                listener?.onState(CameraState.Running)
            } catch (error: CameraAccessException) {
                listener?.onState(CameraState.Lost(words(error)))
            } catch (error: IllegalStateException) {
                Log.i(TAG, "the session ended before it began", error)
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) {
            listener?.onState(CameraState.Failed("the camera does not give ${size.width}x${size.height} frames beside a preview"))
        }
    }

    private val captureCallback = object : CameraCaptureSession.CaptureCallback() {
        override fun onCaptureCompleted(session: CameraCaptureSession, request: CaptureRequest, result: TotalCaptureResult) {
            val sensor = result.get(CaptureResult.SENSOR_TIMESTAMP) ?: return
            val exposure = result.get(CaptureResult.SENSOR_EXPOSURE_TIME) ?: return
            val skew = result.get(CaptureResult.SENSOR_ROLLING_SHUTTER_SKEW) ?: 0L
            listener?.onExposure(sensorNs(sensor), Exposure(exposure, skew))
        }
    }

    private fun onImage(stream: Stream) {
        val image = try {
            stream.reader.acquireLatestImage() ?: return
        } catch (error: IllegalStateException) { // all images are out: the worker is behind, and this frame is lost
            Log.w(TAG, "no free image", error)
            return
        }
        val listener = this.listener
        val frame = stream.free()
        if (listener == null || frame == null) return image.close()
        frame.hold(image, rotation, sensorNs(image.timestamp), System.nanoTime())
        listener.onFrame(frame)
    }

    /** A clock of unknown base is roughly uptime, which is what nanoTime counts. */
    private fun sensorNs(cameraNs: Long): Long = if (facts.realtimeClock) clock.toNanoTime(cameraNs) else cameraNs

    private fun closeDevice() {
        device?.close()
        device = null
        stream?.let(::retire)
        stream = null
    }

    /** Closing a reader takes the memory from under the images that are out; the worker may be reading one. */
    private fun retire(stream: Stream) {
        if (stream.busy) handler?.postDelayed({ retire(stream) }, RETIRE_MS) else stream.reader.close()
    }

    private companion object {
        const val TAG = "mobilekit"
        const val MAX_IMAGES = 4
        const val RETIRE_MS = 10L
    }

    /** A reader and as many frames as it has images. */
    private class Stream(val reader: ImageReader) {
        private val frames = Array(MAX_IMAGES) { ImageFrame() }
        val busy: Boolean get() = frames.any { it.busy }

        /** Null where all are out. A loop over indices: an iterator would be an object for every frame. */
        fun free(): ImageFrame? {
            for (index in frames.indices) if (!frames[index].busy) return frames[index]
            return null
        }
    }
}

internal fun words(error: CameraAccessException): String = when (error.reason) {
    CameraAccessException.CAMERA_IN_USE -> "it is in use"
    CameraAccessException.MAX_CAMERAS_IN_USE -> "too many cameras are in use"
    CameraAccessException.CAMERA_DISABLED -> "the device's policy disables it"
    else -> error.message ?: "error ${error.reason}"
}

/** No camera that could be used. */
class CameraException(message: String) : Exception(message)

/** Clockwise degrees that bring a frame upright on a display that is turned by [displayDegrees] (Camera2's own formula). */
internal fun uprightRotation(sensorDegrees: Int, displayDegrees: Int, facing: Facing): Int {
    val sign = if (facing == Facing.FRONT) 1 else -1
    return (sensorDegrees + sign * displayDegrees + 360) % 360
}

/** An Image as a [Frame]; taken from a pool, so that a frame costs no object of ours. */
private class ImageFrame : Frame {
    private var image: Image? = null
    @Volatile var busy = false
        private set
    override var width = 0
    override var height = 0
    override lateinit var y: ByteBuffer
    override lateinit var u: ByteBuffer
    override lateinit var v: ByteBuffer
    override var yRowStride = 0
    override var uRowStride = 0
    override var vRowStride = 0
    override var chromaPixelStride = 0
    override var rotation = 0
    override var sensorNs = 0L
    override var dueNs = 0L

    fun hold(image: Image, rotation: Int, sensorNs: Long, dueNs: Long) {
        busy = true
        this.image = image
        width = image.width
        height = image.height
        val planes = image.planes
        y = planes[0].buffer
        u = planes[1].buffer
        v = planes[2].buffer
        yRowStride = planes[0].rowStride
        uRowStride = planes[1].rowStride
        vRowStride = planes[2].rowStride
        chromaPixelStride = planes[1].pixelStride
        this.rotation = rotation
        this.sensorNs = sensorNs
        this.dueNs = dueNs
    }

    override fun close() {
        image?.close()
        image = null
        busy = false
    }
}
