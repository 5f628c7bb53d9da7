package dev.mobilekit.demo

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.Context
import android.content.pm.PackageManager
import android.hardware.display.DisplayManager
import android.os.Bundle
import android.util.Size
import android.view.Choreographer
import android.view.Display as SystemDisplay
import android.view.SurfaceHolder
import android.view.SurfaceView
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.TextView
import java.io.File
import java.util.concurrent.Executors

/**
 * The camera's picture, what the model says about it, and how old that is.
 *
 *     on the screen and allowed and a surface to show on  ->  camera + worker run
 *     any of the three gone                               ->  both stop
 *
 * On the screen is started, not resumed: in a split screen the half without the focus is paused and still seen.
 *
 * Everything here is the main thread's. Two other threads hand over: the worker its answers ([Handover]), the camera its state.
 */
class MainActivity : Activity(), SurfaceHolder.Callback, Choreographer.FrameCallback {
    private lateinit var preview: SurfaceView
    private lateinit var overlay: OverlayView
    private lateinit var message: TextView
    private lateinit var figures: TextView

    private var model: Model? = null
    private var log: EventLog? = null
    private var logProblem: String? = null
    private var shown: Handover.Slot? = null
    private val writer = Executors.newSingleThreadExecutor { Thread(it, "mobilekit-log") }
    private var session: Session? = null
    private var facing = Facing.BACK
    private var wish = Backend.CPU
    private var started = false
    private var surfaced = false
    private var asked = false
    private var fixed: Size? = null

    private val meter = LatencyMeter()
    private var drawing = false
    private var vsyncs = 0
    private var lastVsyncNs = 0L
    private var refreshHz = 60.0
    private val halfScanOutNs get() = (NS_PER_S / refreshHz / 2).toLong()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        preview = findViewById(R.id.preview)
        overlay = findViewById(R.id.overlay)
        message = findViewById(R.id.message)
        figures = findViewById(R.id.figures)
        facing = Facing.valueOf(state?.getString(FACING) ?: Facing.BACK.name)
        wish = Backend.valueOf(state?.getString(WISH) ?: Backend.CPU.name)
        asked = state?.getBoolean(ASKED) ?: false
        findViewById<Button>(R.id.flip).setOnClickListener {
            facing = if (facing == Facing.BACK) Facing.FRONT else Facing.BACK
            restart()
        }
        findViewById<Button>(R.id.backend).setOnClickListener {
            wish = Backend.entries[(wish.ordinal + 1) % Backend.entries.size]
            restart()
        }
        // Refused once, the system may not ask again; a tap on the message does.
        message.setOnClickListener { if (!allowed()) requestPermissions(arrayOf(Manifest.permission.CAMERA), REQUEST) }
        overlay.setOnClickListener { correct() }
        overlay.onDrawn = ::drawn
        overlay.picture = preview
        preview.holder.addCallback(this)
        load()
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putString(FACING, facing.name)
        state.putString(WISH, wish.name)
        state.putBoolean(ASKED, asked)
    }

    override fun onStart() {
        super.onStart()
        started = true
        update()
    }

    override fun onResume() {
        super.onResume()
        if (!allowed() && !asked) {
            asked = true // once by itself: asking again after every "no" would never end
            requestPermissions(arrayOf(Manifest.permission.CAMERA), REQUEST)
        }
        update() // allowed in the settings, perhaps
    }

    override fun onStop() {
        started = false
        update()
        super.onStop()
    }

    override fun onDestroy() {
        writer.shutdown() // what it has is still written
        super.onDestroy()
    }

    override fun onRequestPermissionsResult(code: Int, permissions: Array<out String>, results: IntArray) = update()

    override fun surfaceCreated(holder: SurfaceHolder) = Unit

    override fun surfaceChanged(holder: SurfaceHolder, format: Int, width: Int, height: Int) {
        surfaced = true
        update()
    }

    override fun surfaceDestroyed(holder: SurfaceHolder) {
        surfaced = false
        fixed = null
        update()
    }

    private fun allowed() = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    private fun load() {
        try {
            val model = Wiring.model(assets)
            shown = Handover.Slot(model.postprocessor())
            // No folder (storage gone): the log's own error will say so.
            log = EventLog(
                File(getExternalFilesDir(null), EventLog.FILE), model.sidecar.sha256, writer,
                failed = { runOnUiThread { logProblem = it } },
            )
            this.model = model
        } catch (error: ModelException) {
            say(error.message)
        } catch (error: SidecarException) {
            say(error.message)
        }
    }

    private fun say(words: String?) {
        message.text = words
        message.visibility = if (words.isNullOrEmpty()) View.GONE else View.VISIBLE
    }

    private fun restart() {
        stop()
        update()
    }

    /** Starts or stops, as the three conditions say. */
    private fun update() {
        val model = this.model ?: return // the message says why there is none
        if (!allowed()) {
            stop()
            say(getString(R.string.permission))
        } else if (started && surfaced) {
            if (session == null) start(model)
        } else {
            stop()
        }
    }

    private fun start(model: Model) {
        try {
            val source = Wiring.frameSource(this, facing, WANTED, null, displayDegrees())
            if (!fitted(source.facts)) return // the surface comes back in the right size
            val runner = Wiring.runner(model.data, wish, THREADS, true)
            val pipeline = try {
                model.pipeline(runner)
            } catch (error: Exception) {
                runner.close()
                throw error
            }
            refreshHz = systemDisplay().refreshRate.toDouble()
            meter.clear()
            say(null)
            overlay.mirrored = facing == Facing.FRONT
            session = Session(source, runner, pipeline, preview.holder.surface).also { it.start() }
            Choreographer.getInstance().postFrameCallback(this)
        } catch (error: ModelException) {
            say(error.message)
        } catch (error: SidecarException) {
            say(error.message)
        } catch (error: CameraException) {
            say(error.message)
        }
    }

    /** The camera draws into the surface at its own size, and the view has the picture's aspect; false where that takes effect later. */
    private fun fitted(camera: CameraFacts): Boolean {
        val size = Size(camera.width, camera.height)
        if (size == fixed) return true
        fixed = size
        val turned = camera.rotation == 90 || camera.rotation == 270
        val width = if (turned) camera.height else camera.width
        val height = if (turned) camera.width else camera.height
        val root = preview.parent as View
        val factor = minOf(root.width.toDouble() / width, root.height.toDouble() / height)
        preview.layoutParams = preview.layoutParams.also {
            it.width = (width * factor).toInt()
            it.height = (height * factor).toInt()
        }
        preview.holder.setFixedSize(camera.width, camera.height)
        return false
    }

    private fun stop() {
        Choreographer.getInstance().removeFrameCallback(this)
        session?.stop()
        session = null
    }

    private fun systemDisplay(): SystemDisplay =
        (getSystemService(Context.DISPLAY_SERVICE) as DisplayManager).getDisplay(SystemDisplay.DEFAULT_DISPLAY)

    private fun displayDegrees(): Int = 90 * systemDisplay().rotation // Surface.ROTATION_0 .. 270 are 0 .. 3

    /** Every vsync: show the newest answers, if there are new ones, and sample the age of what is on the screen. */
    override fun doFrame(vsyncNs: Long) {
        val session = this.session ?: return
        val shown = this.shown ?: return
        Choreographer.getInstance().postFrameCallback(this)
        lastVsyncNs = vsyncNs
        if (session.handover.take(shown)) {
            drawing = true
            overlay.show(shown.answers, session.pipeline.postprocessor)
            if (shown.answers.count > 0) log?.shown(shown.answers.indices[0], overlay.best, shown.answers.scores[0])
        }
        meter.onVsync(vsyncNs, halfScanOutNs)
        if (++vsyncs % VSYNCS_A_FIGURE == 0) tell(session)
    }

    /** The end of a drawing: from here on the time is the compositor's. */
    private fun drawn(nowNs: Long) {
        val session = this.session ?: return
        val shown = this.shown ?: return
        if (!drawing) return // drawn again for some other reason
        drawing = false
        // The grid of vsyncs through the last one that the system told of.
        val present = Display(refreshHz, lastVsyncNs).presentNs(nowNs)
        val exposure = session.exposures.of(shown.times.sensorNs)
        val start = shown.times.sensorNs + (exposure.exposureNs + exposure.skewNs) / 2
        meter.onShown(shown.times, start, nowNs, present, halfScanOutNs)
    }

    private fun tell(session: Session) {
        say(session.failure ?: session.state.words.ifEmpty { logProblem })
        if (session.failure != null) return
        val stages = LatencyMeter.STAGES.indices.joinToString("  ") { "${LatencyMeter.STAGES[it]} ${ms(meter.stageP50Ms(it))}" }
        figures.text = buildString {
            append("camera to screen p50 ${ms(meter.deliveredP50Ms)} p90 ${ms(meter.deliveredP90Ms)} ms")
            append("\nage of what is shown p50 ${ms(meter.ageP50Ms)} p90 ${ms(meter.ageP90Ms)} ms")
            append("\np50 of the stages: $stages")
            append("\ndropped ${session.mailbox.overwritten}   kernels ${Kernels.isa()}   ${session.runner.backend}")
            session.runner.refusal?.let { append("\n$it") }
            if (!session.source.facts.realtimeClock) append("\ncamera clock unverified")
            append("\nwhen the picture lights up is modelled, as is a sensor that tells no exposure")
        }
    }

    private fun ms(value: Double) = if (value.isNaN()) "-" else "%.1f".format(value)

    /** Tap the result: it was right, or it was something else. */
    private fun correct() {
        val log = this.log ?: return
        val answers = shown?.answers ?: return
        if (answers.count == 0) return
        val index = answers.indices[0]
        val score = answers.scores[0]
        val label = overlay.best
        log.shown(index, label, score, atOnce = true)
        val field = EditText(this).apply {
            id = R.id.correction
            setText(label)
            setSelectAllOnFocus(true)
        }
        AlertDialog.Builder(this)
            .setTitle(getString(R.string.correct_title, label))
            .setView(field)
            .setPositiveButton(R.string.send) { _, _ ->
                val words = field.text.toString().trim()
                if (words.isEmpty() || words == label) {
                    log.add(EventLog.Event.ACCEPTED, index, label, score)
                } else {
                    log.add(EventLog.Event.CORRECTED, index, label, score, words)
                }
            }
            .setNeutralButton(R.string.right) { _, _ -> log.add(EventLog.Event.ACCEPTED, index, label, score) }
            .setNegativeButton(android.R.string.cancel) { dialog, _ -> dialog.cancel() }
            .setOnCancelListener { log.add(EventLog.Event.ABANDONED, index, label, score) }
            .show()
    }

    private companion object {
        const val REQUEST = 1
        const val FACING = "facing"
        const val WISH = "wish"
        const val ASKED = "asked"
        // As many as there are fast cores on nearly every phone of the last years.
        const val THREADS = 2
        // More pixels than a model of 224 needs; the ISP gives 720p at 30 fps on every phone.
        val WANTED = Size(1280, 720)
        // Twice a second at 60 Hz; text that changes faster cannot be read.
        const val VSYNCS_A_FIGURE = 30
    }
}
