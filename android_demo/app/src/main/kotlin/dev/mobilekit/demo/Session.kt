package dev.mobilekit.demo

import android.view.Surface

/** Camera, mailbox and worker of one run; made anew after every pause. */
internal class Session(val source: FrameSource, val runner: ModelRunner, val pipeline: Pipeline, private val preview: Surface?) :
    FrameSource.Listener {
    val mailbox = Mailbox()
    val handover = Handover(pipeline.postprocessor)
    val exposures = Exposures()

    @Volatile var state: CameraState = CameraState.Opening
        private set

    /** What the kernels or the runtime said last; null while all is well. */
    @Volatile var failure: String? = null
        private set

    private var halted = false
    private val worker = Worker(
        mailbox,
        pipeline,
        done = {
            handover.put(it)
            if (failure != null) failure = null
        },
        failed = { failure = it.message ?: it.javaClass.simpleName },
    )

    fun start() {
        worker.start()
        source.start(preview, this)
    }

    /** Neither camera nor worker runs any more; the runner can still be used. */
    fun halt() {
        if (halted) return
        halted = true
        worker.stop() // first: the camera takes the memory from under its frames
        source.stop()
    }

    fun stop() {
        halt()
        runner.close()
    }

    override fun onFrame(frame: Frame) = mailbox.put(frame)

    override fun onExposure(sensorNs: Long, exposure: Exposure) = exposures.put(sensorNs, exposure)

    override fun onState(state: CameraState) {
        this.state = state
    }
}

/** The newest answers, from the worker to the main thread; copied under a lock. */
internal class Handover(postprocessor: Postprocessor) {
    private val slot = Slot(postprocessor)
    private var fresh = false

    class Slot(postprocessor: Postprocessor) {
        val answers = postprocessor.answers()
        val times = FrameTimes()
    }

    @Synchronized
    fun put(pipeline: Pipeline) {
        slot.answers.copyFrom(pipeline.answers)
        slot.times.copyFrom(pipeline.times)
        fresh = true
    }

    /** False where nothing is new. [into] is made for the same postprocessor. */
    @Synchronized
    fun take(into: Slot): Boolean {
        if (!fresh) return false
        fresh = false
        into.answers.copyFrom(slot.answers)
        into.times.copyFrom(slot.times)
        return true
    }
}

/** Exposure and skew of the last frames, by their timestamp. */
internal class Exposures {
    private val stamps = LongArray(SIZE)
    private val values = arrayOfNulls<Exposure>(SIZE)
    private var next = 0
    private var last = UNKNOWN

    @Synchronized
    fun put(sensorNs: Long, exposure: Exposure) {
        stamps[next] = sensorNs
        values[next] = exposure
        next = (next + 1) % SIZE
        last = exposure
    }

    /** Of that frame, else the last one that was told of (exposure changes slowly), else none. */
    @Synchronized
    fun of(sensorNs: Long): Exposure {
        // Two readings of the clocks' difference may disagree by some microseconds; two frames are milliseconds apart.
        for (i in 0 until SIZE) if (values[i] != null && kotlin.math.abs(stamps[i] - sensorNs) < NS_PER_MS) return values[i]!!
        return last
    }

    companion object {
        // Half a second at 30 fps: no result of a capture comes later.
        private const val SIZE = 16
        val UNKNOWN = Exposure(0, 0)
    }
}
