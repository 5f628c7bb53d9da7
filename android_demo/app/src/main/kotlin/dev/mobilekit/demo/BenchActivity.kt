package dev.mobilekit.demo

import android.Manifest
import android.app.Activity
import android.content.pm.PackageManager
import android.os.BatteryManager
import android.os.Build
import android.os.Bundle
import android.os.PowerManager
import android.os.Process
import android.util.Log
import android.util.Size
import android.view.Choreographer
import android.view.WindowManager
import android.widget.FrameLayout
import android.widget.TextView
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import org.json.JSONObject

/**
 * The bench of `python -m mobilekit.bench --device android`: started by an intent, answers with a file (docs/bench.md).
 *
 *     load, first inference, warm-up  ->  camera to screen for `seconds`  ->  back to back  ->  files/RUN.json
 *
 * Whatever goes wrong, the file is written, with {"error": ...}: the other end waits for it.
 */
class BenchActivity : Activity(), Choreographer.FrameCallback {
    private lateinit var overlay: OverlayView
    private lateinit var status: TextView
    private lateinit var settings: BenchSettings
    private var run: Run? = null
    private var finished = false

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        overlay = OverlayView(this)
        status = TextView(this)
        val root = FrameLayout(this)
        root.addView(overlay)
        root.addView(status)
        setContentView(root)
        guarded("mobilekit-manual") {
            settings = BenchSettings(intent.extras)
            if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
                throw BenchException("the camera is not allowed: adb shell pm grant $packageName ${Manifest.permission.CAMERA}")
            }
            begin()
        }
    }

    override fun onStop() {
        super.onStop()
        if (!finished) end { JSONObject().put("error", "the bench left the screen before it was done") }
    }

    private fun begin() {
        val baseline = rssMb("VmRSS")
        val startNs = System.nanoTime()
        val model = settings.model?.let { Model.ofFile(File(it)) } ?: Wiring.model(assets)
        val runner = Wiring.runner(model.data, Backend.CPU, settings.threads, settings.delegate == "xnnpack")
        val loadedNs = System.nanoTime()
        val pipeline = model.pipeline(runner)
        val source = Wiring.frameSource(
            this, Facing.BACK, Size(settings.frameWidth, settings.frameHeight), Math.round(settings.fps).toInt(), 0,
        )
        @Suppress("DEPRECATION") // Context.display needs API 30
        val refreshHz = windowManager.defaultDisplay.refreshRate.toDouble()
        val run = Run(model, runner, pipeline, source, refreshHz, baseline, (loadedNs - startNs) / MS, settings)
        this.run = run
        overlay.onDrawn = run::onDrawn
        run.session.start()
        Choreographer.getInstance().postFrameCallback(this)
    }

    override fun doFrame(vsyncNs: Long) {
        val run = this.run ?: return
        if (finished) return
        val failure = run.session.failure ?: (run.session.state as? CameraState.Failed)?.words
        val overdueNs = System.nanoTime() - run.createdNs - run.allowedNs
        when {
            failure != null -> return end { JSONObject().put("error", failure) }
            run.session.state is CameraState.Lost -> return end { JSONObject().put("error", run.session.state.words) }
            run.done(vsyncNs) -> return end { report(run) }
            overdueNs > 0 -> return end { JSONObject().put("error", "the camera gave no frames within ${run.allowedNs / NS_PER_S} s") }
        }
        Choreographer.getInstance().postFrameCallback(this)
        run.onVsync(vsyncNs)
        if (run.session.handover.take(run.slot)) {
            run.drawing = true
            overlay.show(run.slot.answers, run.pipeline.postprocessor)
        }
    }

    private fun report(run: Run): JSONObject {
        val cpuPercent = run.cpuPercent()
        run.session.halt()
        val account = account(run.recording, run.display(), run.startNs, run.endNs, run.exposureSeen)
        val processing = run.backToBack()
        val result = BenchReport(
            created = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'+00:00'", Locale.ROOT)
                .apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date(run.createdMs)),
            model = run.model.sidecar.model,
            environment = environment(),
            doubts = doubts(run),
            settings = settings.toJson(),
            pipeline = JSONObject()
                .put("frames", "${run.session.source.facts.name}, ${run.session.source.facts.width}x${run.session.source.facts.height} YUV_420_888")
                .put("preprocess", "native kernel (${Kernels.isa()}), one pass: rotate ${run.session.source.facts.rotation}, as the sidecar says")
                .put("inference", run.runner.backend)
                .put("postprocess", "top-${run.pipeline.answers.indices.size}, as the sidecar says"),
            assumptions = assumptions(run),
            account = account,
            processing = processing,
            throughputQps = 1e3 * processing.valuesMs.size / processing.valuesMs.sum(),
            modelLoadMs = run.loadMs,
            firstInferenceMs = run.firstInferenceMs,
            warmUpRuns = run.warmUpRuns,
            peakRssMb = rssMb("VmHWM"),
            baselineRssMb = run.baselineMb,
            frameMb = run.session.source.facts.let { it.width * it.height * 1.5 / 1e6 },
            cpuPercent = cpuPercent,
        )
        return result.toJson()
    }

    private fun assumptions(run: Run): List<BenchReport.Assumption> = listOfNotNull(
        BenchReport.Assumption(
            "compositor lead", 10.5, "ms", "debug.sf.late.sf.duration as Android device trees set it for SurfaceFlinger (10.5 ms at 60 Hz)",
        ),
        BenchReport.Assumption(
            "scan-out", run.display().halfScanOutNs / MS, "ms",
            "half a refresh period: the middle row of a panel that scans out for its whole period",
        ),
        if (run.exposureSeen) null else BenchReport.Assumption("exposure", 0.0, "ms", "this camera tells no exposure time"),
    )

    private fun doubts(run: Run): List<String> = listOfNotNull(
        "present times are modelled from the vsync grid: no fence of the display was read",
        if (run.session.source.facts.realtimeClock) null else "camera clock unverified: its timestamps may not be comparable with the app's",
        if (run.exposureSeen) null else "the camera tells no exposure time: latencies begin at its first row's exposure",
        run.session.source.facts.let {
            if (it.width == settings.frameWidth && it.height == settings.frameHeight) null
            else "the camera gives ${it.width}x${it.height}, not ${settings.frameWidth}x${settings.frameHeight}"
        },
        if (Math.abs(run.refreshHz - settings.refreshHz) < 1) null else "the display runs at ${run.refreshHz} Hz, not ${settings.refreshHz}",
        governor()?.let { if (it == "performance") null else "the CPU governor is '$it', not 'performance': the clock may change during the run" }
            ?: if (governor() == null) "the CPU governor cannot be read here: the clock may change unseen" else null,
        thermal()?.let { if (it == 0) null else "thermal status is $it: the phone is throttled" },
        "processing was timed on one frame that is copied, hence warm, and on one worker",
    )

    private fun environment(): JSONObject {
        val battery = getSystemService(BatteryManager::class.java)
        return JSONObject()
            .put("phone", "${Build.MANUFACTURER} ${Build.MODEL}")
            .put("android", Build.VERSION.RELEASE).put("api_level", Build.VERSION.SDK_INT)
            .put("abi", Build.SUPPORTED_ABIS.firstOrNull() ?: JSONObject.NULL)
            .put("cores", Runtime.getRuntime().availableProcessors())
            .put("runtime", BuildFacts.RUNTIME)
            .put("governor", governor() ?: JSONObject.NULL)
            .put("thermal_status", thermal() ?: JSONObject.NULL)
            .put("battery_percent", battery?.getIntProperty(BatteryManager.BATTERY_PROPERTY_CAPACITY) ?: JSONObject.NULL)
            .put("charging", battery?.isCharging ?: JSONObject.NULL)
            .put("threads", settings.threads)
    }

    private fun thermal(): Int? =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) getSystemService(PowerManager::class.java)?.currentThermalStatus else null

    private fun governor(): String? = try {
        File("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").readText().trim()
    } catch (_: IOException) {
        null
    }

    /** Runs [body]; what a user or a phone can cause becomes the answer. */
    private fun guarded(runId: String, body: () -> Unit) {
        try {
            body()
        } catch (error: Exception) {
            Log.w(TAG, "the bench failed", error)
            if (!::settings.isInitialized) write(runId, JSONObject().put("error", words(error)))
            else end { JSONObject().put("error", words(error)) }
            finished = true
            finish()
        }
    }

    private fun words(error: Exception) = error.message ?: error.javaClass.simpleName

    private fun end(answer: () -> JSONObject) {
        if (finished) return
        finished = true
        Choreographer.getInstance().removeFrameCallback(this)
        val document = try {
            answer()
        } catch (error: Exception) {
            Log.w(TAG, "the bench failed", error)
            JSONObject().put("error", words(error))
        }
        run?.session?.stop()
        write(settings.runId, document)
        finish()
    }

    /** Under another name first, then renamed: the other end never reads half a report. */
    private fun write(runId: String, document: JSONObject) {
        val folder = getExternalFilesDir(null)
        val part = File(folder, ".$runId.json.part")
        try {
            part.writeText(document.toString(2) + "\n")
            if (!part.renameTo(File(folder, "$runId.json"))) throw IOException("the report cannot be renamed")
        } catch (error: IOException) { // storage full: nowhere to say so but here
            Log.e(TAG, "the report cannot be written to $folder", error)
            part.delete()
        }
    }

    private fun rssMb(name: String): Double = try {
        File("/proc/self/status").readLines().first { it.startsWith("$name:") }.filter(Char::isDigit).toLong() / 1000.0
    } catch (_: Exception) { // not to be read, or not there
        0.0
    }

    /** One run: what it is made of and what it has seen. */
    internal class Run(
        val model: Model,
        val runner: ModelRunner,
        val pipeline: Pipeline,
        source: FrameSource,
        val refreshHz: Double,
        val baselineMb: Double,
        val loadMs: Double,
        settings: BenchSettings,
    ) {
        val createdNs = System.nanoTime()
        val createdMs = System.currentTimeMillis()
        val firstInferenceMs: Double
        val warmUpRuns: Int
        // Twice as many as are asked for, and a second of lead-in: a camera may be faster than it was asked to be.
        val recording = Recording((2 * (settings.seconds + 1) * maxOf(settings.fps, 60.0)).toInt())
        val slot = Handover.Slot(pipeline.postprocessor)
        val session: Session
        private val durationNs = (settings.seconds * NS_PER_S).toLong()
        val allowedNs = durationNs + 10 * NS_PER_S
        var drawing = false
        var startNs = 0L
        val endNs get() = startNs + durationNs
        @Volatile var exposureSeen = false
            private set
        private var lastVsyncNs = 0L
        private var cpuStartMs = 0L
        @Volatile private var kept: KeptFrame? = null

        init {
            val before = System.nanoTime()
            runner.run() // on zeros; what the first run allocates does not depend on the pixels
            firstInferenceMs = (System.nanoTime() - before) / MS
            var runs = 0
            while (runs < 1 || System.nanoTime() - before < settings.warmUp * NS_PER_S) {
                runner.run()
                runs++
            }
            warmUpRuns = runs
            session = Session(Tap(source), runner, pipeline, null)
        }

        fun onVsync(vsyncNs: Long) {
            lastVsyncNs = vsyncNs
            // Half a second of frames fills the pipeline and does not count.
            if (startNs == 0L && recording.frames > 0) {
                startNs = vsyncNs + NS_PER_S / 2
                cpuStartMs = Process.getElapsedCpuTime()
            }
        }

        /** A vsync later than the window and the display of its last frame. */
        fun done(vsyncNs: Long) = startNs != 0L && vsyncNs > endNs + NS_PER_S / 10

        fun display() = Display(refreshHz, lastVsyncNs)

        fun cpuPercent(): Double = 100.0 * (Process.getElapsedCpuTime() - cpuStartMs) * NS_PER_MS / (durationNs + 6 * NS_PER_S / 10)

        fun onDrawn(nowNs: Long) {
            if (!drawing) return
            drawing = false
            recording.onDrawn(slot.times, session.exposures.of(slot.times.sensorNs), nowNs)
        }

        /** A frame in memory -> its answer in memory, at least 50 runs and 1 s, as TFLite's benchmark_model. */
        fun backToBack(): Summary {
            val frame = kept ?: throw BenchException("the camera gave no frame")
            val values = ArrayList<Double>()
            val begin = System.nanoTime()
            while (values.size < 50 || System.nanoTime() - begin < NS_PER_S) {
                val start = System.nanoTime()
                pipeline.run(frame)
                values.add((System.nanoTime() - start) / MS)
            }
            return Summary("processing", "measured", values)
        }

        /** Notes every frame on its way to the session, and copies one. */
        private inner class Tap(private val source: FrameSource) : FrameSource by source {
            override fun start(preview: android.view.Surface?, listener: FrameSource.Listener) = source.start(
                preview,
                object : FrameSource.Listener by listener {
                    override fun onFrame(frame: Frame) {
                        recording.onDue(frame.dueNs)
                        if (kept == null) kept = KeptFrame(frame)
                        listener.onFrame(frame)
                    }

                    override fun onExposure(sensorNs: Long, exposure: Exposure) {
                        exposureSeen = true
                        listener.onExposure(sensorNs, exposure)
                    }
                },
            )
        }
    }

    /** A copy of a frame that stays. */
    private class KeptFrame(frame: Frame) : Frame {
        override val width = frame.width
        override val height = frame.height
        override val y = copy(frame.y)
        override val u = copy(frame.u)
        override val v = copy(frame.v)
        override val yRowStride = frame.yRowStride
        override val uRowStride = frame.uRowStride
        override val vRowStride = frame.vRowStride
        override val chromaPixelStride = frame.chromaPixelStride
        override val rotation = frame.rotation
        override val sensorNs = frame.sensorNs
        override val dueNs = frame.dueNs

        override fun close() = Unit

        private fun copy(plane: ByteBuffer): ByteBuffer {
            val source = plane.duplicate().also { it.whole() }
            return direct(source.capacity()).also { it.put(source); it.whole() }
        }
    }

    private companion object {
        const val TAG = "mobilekit"
        const val MS = 1e6
    }
}
