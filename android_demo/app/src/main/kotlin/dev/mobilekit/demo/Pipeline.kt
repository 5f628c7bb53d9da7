package dev.mobilekit.demo

/** When a frame passed each point, in the clock of [System.nanoTime]. Filled anew for every frame. */
class FrameTimes {
    var sensorNs = 0L
    var dueNs = 0L
    var takenNs = 0L
    var preprocessedNs = 0L
    var inferredNs = 0L
    var postprocessedNs = 0L

    fun copyFrom(other: FrameTimes) {
        sensorNs = other.sensorNs
        dueNs = other.dueNs
        takenNs = other.takenNs
        preprocessedNs = other.preprocessedNs
        inferredNs = other.inferredNs
        postprocessedNs = other.postprocessedNs
    }
}

/** The work on one frame: preprocess, inference, postprocess. Allocates nothing; not to be shared between threads. */
class Pipeline(
    private val preprocessor: Preprocessor,
    private val runner: ModelRunner,
    val postprocessor: Postprocessor,
    /** Of the output tensor, as the sidecar has it. */
    outputBytes: Int,
) {
    val answers = postprocessor.answers()
    val times = FrameTimes()

    init {
        if (runner.input.capacity() != preprocessor.inputBytes) {
            throw SidecarException(
                "the sidecar describes an input of ${preprocessor.inputBytes} bytes, the model takes ${runner.input.capacity()}",
            )
        }
        if (runner.output.capacity() != outputBytes) {
            throw SidecarException("the sidecar describes an output of $outputBytes bytes, the model gives ${runner.output.capacity()}")
        }
    }

    /** Fills [answers] and [times]. The frame is closed as soon as its pixels are read: the camera needs its buffers. */
    fun run(frame: Frame) {
        times.sensorNs = frame.sensorNs
        times.dueNs = frame.dueNs
        times.takenNs = System.nanoTime()
        answers.frameWidth = frame.width
        answers.frameHeight = frame.height
        answers.frameRotation = frame.rotation
        try {
            preprocessor.run(frame, runner.input)
        } finally {
            frame.close()
        }
        times.preprocessedNs = System.nanoTime()
        runner.run()
        times.inferredNs = System.nanoTime()
        postprocessor.run(runner.output, preprocessor.plan, answers)
        times.postprocessedNs = System.nanoTime()
    }
}

/** A thread that takes the latest frame from a mailbox until that is closed. */
class Worker(
    private val mailbox: Mailbox,
    private val pipeline: Pipeline,
    /** Called on the worker's thread after each frame; what it needs of [Pipeline] it copies. */
    private val done: (Pipeline) -> Unit,
    /** Called on the worker's thread: a frame that the kernels refuse, or a runtime that fails. The worker goes on. */
    private val failed: (Exception) -> Unit,
) {
    private val thread = Thread({ loop() }, "mobilekit-worker").apply { priority = Thread.MAX_PRIORITY }

    fun start() = thread.start()

    /** Returns when the frame in hand is done. */
    fun stop() {
        mailbox.close()
        thread.join()
    }

    private fun loop() {
        while (true) {
            val frame = mailbox.take() ?: return
            try {
                pipeline.run(frame)
                done(pipeline)
            } catch (error: Exception) {
                failed(error)
            }
        }
    }
}
