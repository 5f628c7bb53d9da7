package dev.mobilekit.demo

import android.Manifest
import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.os.SystemClock
import android.view.Surface
import android.view.SurfaceView
import android.view.View
import android.widget.TextView
import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowChoreographer

/** A camera that gives a frame whenever it is told to, disconnects, or is not there. */
class FakeSource : FrameSource {
    override val facts = CameraFacts("a fake", 640, 480, 90, realtimeClock = true)
    @Volatile var listener: FrameSource.Listener? = null
    @Volatile var starts = 0
    @Volatile var stops = 0
    private var feeder: Thread? = null
    @Volatile private var feeding = false

    /** Frames a second that come by themselves; 0 for none. */
    @Volatile var fps = 0

    /** What the camera says first. */
    @Volatile var first: CameraState = CameraState.Running

    override fun start(preview: Surface?, listener: FrameSource.Listener) {
        starts++
        this.listener = listener
        listener.onState(first)
        if (fps > 0) {
            feeding = true
            feeder = Thread {
                while (feeding) {
                    give()
                    Thread.sleep(1000L / fps)
                }
            }.also(Thread::start)
        }
    }

    fun give() {
        val frame = FakeFrame.grey(640, 480)
        frame.sensorNs = System.nanoTime() - 30_000_000
        frame.dueNs = System.nanoTime()
        listener?.onExposure(frame.sensorNs, Exposure(10_000_000, 20_000_000))
        listener?.onFrame(frame)
    }

    override fun stop() {
        stops++
        feeding = false
        feeder?.join()
        listener = null
    }
}

/** What the tests of the activities share: a fake camera and a fake runtime, a clock that goes, other models. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
abstract class AppTest {
    protected val source = FakeSource()
    protected val runners = ArrayList<FakeRunner>()
    protected val wishes = ArrayList<Backend>()
    protected val facings = ArrayList<Facing>()
    protected var noCamera: String? = null
    protected var drawn: Activity? = null
    protected val picture = Bitmap.createBitmap(320, 480, Bitmap.Config.ARGB_8888)
    protected val application: android.app.Application get() = RuntimeEnvironment.getApplication()

    @Before
    fun fakes() {
        // Else a vsync comes as soon as it is asked for, and an app that asks at every vsync never ends.
        SystemClock.setCurrentTimeMillis(System.nanoTime() / NS_PER_MS)
        ShadowChoreographer.setPaused(true)
        ShadowChoreographer.setFrameDelay(java.time.Duration.ofMillis(16))
        Wiring.frameSource = { _, facing, _, _, _ ->
            noCamera?.let { throw CameraException(it) }
            facings.add(facing)
            source
        }
        Wiring.model = Model::ofAssets
        Wiring.runner = { model: ByteBuffer, wish, _, _ ->
            wishes.add(wish)
            assertTrue("the model is mapped", model.isDirect)
            FakeRunner(224 * 224 * 3, scores, if (wish == Backend.GPU) "GPU: not in this test" else null).also(runners::add)
        }
    }

    /** What the demo's model says: class 7. */
    protected val scores = ByteArray(1000) { -100 }.also { it[7] = 100 }

    /** Another model: its sidecar's parts in JSON, an output that it always gives. */
    protected fun model(outputShape: String, postprocess: String, labels: String, output: ByteArray, dtype: String = "int8") {
        val data = direct(16)
        Wiring.model = {
            Model(data, Sidecar.parse(sidecar(outputShape, postprocess, labels, dtype, sha256 = SHA256_OF_16_ZEROS)))
        }
        Wiring.runner = { _, _, _, _ -> FakeRunner(8 * 8 * 3, output).also(runners::add) }
    }

    protected fun sidecar(
        outputShape: String = "[1, 10]", postprocess: String? = """{"kind": "classification"}""", labels: String = "null",
        dtype: String = "int8", sha256: String = "0", inputShape: String = "[1, 8, 8, 3]", version: Int = 1,
    ) = """{"version": $version, "model": "net", "sha256": "$sha256", "min_runtime_version": "2.3.0",
        "inputs": [{"name": "in", "shape": $inputShape, "dtype": "int8", "quantization": {"scale": 1, "zero_point": -128}}],
        "outputs": [{"name": "out", "shape": $outputShape, "dtype": "$dtype"}],
        "preprocess": {"height": 8, "width": 8, "mean": [0], "std": [1]},
        "postprocess": $postprocess, "labels": $labels}"""

    /** An app with these files in its assets' place. */
    protected fun files(model: ByteArray?, sidecar: String?) {
        val folder = File(application.filesDir, "net").also { it.deleteRecursively() }.also(File::mkdirs)
        model?.let { File(folder, "net.tflite").writeBytes(it) }
        sidecar?.let { File(folder, "net.json").writeText(it) }
        Wiring.model = { Model.ofFile(File(folder, "net.tflite")) }
    }

    protected fun sha256(data: ByteArray) =
        MessageDigest.getInstance("SHA-256").digest(data).joinToString("") { "%02x".format(it) }

    /** What the screen says at once after the launch. */
    protected fun saidAtLaunch(): String? {
        allow()
        val controller = launch()
        val said = message(controller.get())
        controller.pause().stop().destroy()
        return said
    }

    @After
    fun nothingIsLeft() {
        assertTrue("every runner is closed", runners.all { it.closed })
        assertEquals("the camera is stopped as often as it is started", source.starts, source.stops)
    }

    protected fun allow() = shadowOf(application).grantPermissions(Manifest.permission.CAMERA)

    protected fun launch(): ActivityController<MainActivity> {
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        drawn = controller.get()
        wait("the layout") { controller.get().findViewById<View>(R.id.overlay).width > 0 }
        surface(controller.get())
        return controller
    }

    /** What the system does once the window is laid out; twice, since the app asks for another size. */
    protected fun surface(activity: MainActivity) {
        val holder = activity.findViewById<SurfaceView>(R.id.preview).holder
        activity.surfaceChanged(holder, 0, 1280, 720)
        activity.surfaceChanged(holder, 0, 640, 480)
    }

    protected fun message(activity: MainActivity) = activity.findViewById<TextView>(R.id.message).let {
        if (it.visibility == View.VISIBLE) it.text.toString() else null
    }

    protected fun wait(what: String, seconds: Int = 10, done: () -> Boolean) {
        val end = System.nanoTime() + seconds * NS_PER_S
        while (!done()) {
            assertTrue("waited in vain for $what", System.nanoTime() < end)
            Thread.sleep(16)
            keepTime()
            // No window is composed here: what the system would draw at a vsync is drawn into a picture.
            drawn?.window?.decorView?.draw(Canvas(picture))
        }
    }

    /** Robolectric's clock, which gives the vsyncs their times, goes with nanoTime, as it does on a phone. */
    protected fun keepTime() {
        val behind = System.nanoTime() / NS_PER_MS - SystemClock.uptimeMillis()
        if (behind > 0) shadowOf(Looper.getMainLooper()).idleFor(java.time.Duration.ofMillis(behind))
    }

    protected companion object {
        const val SHA256_OF_16_ZEROS = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb"
    }
}
