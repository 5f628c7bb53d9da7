package dev.mobilekit.demo

import android.view.Surface

/** Where frames come from. The app knows only this; tests put a fake in its place. */
interface FrameSource {
    /** All calls come on a thread of the source's own. */
    interface Listener {
        /** The listener owns the frame and closes it. */
        fun onFrame(frame: Frame)

        /** What the sensor did for the frame with this [Frame.sensorNs]; may come before or after it. */
        fun onExposure(sensorNs: Long, exposure: Exposure)

        fun onState(state: CameraState)
    }

    val facts: CameraFacts

    /** Opens the camera and goes on trying while it is in use elsewhere, until [stop]. [preview] shows the frames. */
    fun start(preview: Surface?, listener: Listener)

    /** Returns when no frame will come any more. Frames are closed before: stop whoever reads them first. */
    fun stop()
}

sealed class CameraState(val words: String) {
    object Opening : CameraState("opening the camera")
    object Running : CameraState("")
    /** Comes back by itself when it can. */
    class Lost(reason: String) : CameraState("the camera is gone: $reason")
    class Failed(reason: String) : CameraState(reason)
}

/** What is fixed for one camera. [rotation]: clockwise degrees that bring its frames upright. */
class CameraFacts(val name: String, val width: Int, val height: Int, val rotation: Int, val realtimeClock: Boolean)
