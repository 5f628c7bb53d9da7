package dev.mobilekit.demo

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Bundle
import android.os.Looper
import android.os.SystemClock
import android.view.Surface
import android.view.SurfaceView
import android.view.View
import android.widget.EditText
import android.widget.TextView
import java.io.File
import java.nio.ByteBuffer
import org.json.JSONObject
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowAlertDialog
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

    override fun start(preview: Surface?, listener: FrameSource.Listener) {
        starts++
        this.listener = listener
        listener.onState(CameraState.Running)
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

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class ActivityTest {
    private val source = FakeSource()
    private val runners = ArrayList<FakeRunner>()
    private val wishes = ArrayList<Backend>()
    private val facings = ArrayList<Facing>()
    private var noCamera: String? = null
    private var drawn: Activity? = null
    private val picture = Bitmap.createBitmap(320, 480, Bitmap.Config.ARGB_8888)
    private val application get() = RuntimeEnvironment.getApplication()

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
        Wiring.runner = { model: ByteBuffer, wish, _, _ ->
            wishes.add(wish)
            assertTrue("the model is mapped", model.isDirect)
            val scores = ByteArray(1000) { -100 }
            scores[7] = 100
            FakeRunner(224 * 224 * 3, scores, if (wish == Backend.GPU) "GPU: not in this test" else null).also(runners::add)
        }
    }

    @After
    fun nothingIsLeft() {
        assertTrue("every runner is closed", runners.all { it.closed })
        assertEquals("the camera is stopped as often as it is started", source.starts, source.stops)
    }

    private fun allow() = shadowOf(application).grantPermissions(Manifest.permission.CAMERA)

    private fun launch(): ActivityController<MainActivity> {
        val controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        drawn = controller.get()
        surface(controller.get())
        return controller
    }

    /** What the system does once the window is laid out; twice, since the app asks for another size. */
    private fun surface(activity: MainActivity) {
        val holder = activity.findViewById<SurfaceView>(R.id.preview).holder
        activity.surfaceChanged(holder, 0, 1280, 720)
        activity.surfaceChanged(holder, 0, 640, 480)
    }

    private fun message(activity: MainActivity) = activity.findViewById<TextView>(R.id.message).let {
        if (it.visibility == View.VISIBLE) it.text.toString() else null
    }

    private fun wait(what: String, seconds: Int = 10, done: () -> Boolean) {
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
    private fun keepTime() {
        val behind = System.nanoTime() / NS_PER_MS - SystemClock.uptimeMillis()
        if (behind > 0) shadowOf(Looper.getMainLooper()).idleFor(java.time.Duration.ofMillis(behind))
    }

    @Test
    fun `asks for the camera once and runs when it is granted later`() {
        val controller = launch()
        val activity = controller.get()
        assertEquals(Manifest.permission.CAMERA, shadowOf(activity).lastRequestedPermission.requestedPermissions.single())
        assertTrue(message(activity)!!.startsWith("The camera is not allowed"))
        assertEquals(0, source.starts)
        allow()
        activity.onRequestPermissionsResult(1, arrayOf(Manifest.permission.CAMERA), intArrayOf(0))
        surface(activity)
        assertEquals(1, source.starts)
        assertNull(message(activity))
        controller.pause().stop().destroy()
    }

    @Test
    fun `stops in the background and comes back`() {
        allow()
        val controller = launch()
        assertEquals(1, source.starts)
        controller.pause()
        assertEquals(1, source.stops)
        assertTrue(runners.single().closed)
        controller.resume()
        assertEquals(2, source.starts)
        controller.pause().stop().destroy()
    }

    @Test
    fun `shows the answer of a frame`() {
        allow()
        val controller = launch()
        val overlay = controller.get().findViewById<View>(R.id.overlay)
        source.give()
        wait("an answer") { overlay.contentDescription != null }
        assertEquals("class 7", overlay.contentDescription)
        controller.pause().stop().destroy()
    }

    @Test
    fun `turns to the other camera and keeps it over a rotation`() {
        allow()
        val controller = launch()
        controller.get().findViewById<View>(R.id.flip).performClick()
        assertEquals(listOf(Facing.BACK, Facing.BACK, Facing.FRONT), facings)
        val state = Bundle()
        controller.pause().saveInstanceState(state).stop().destroy()
        facings.clear()
        val turned = Robolectric.buildActivity(MainActivity::class.java).setup(state)
        surface(turned.get())
        assertEquals(setOf(Facing.FRONT), facings.toSet())
        turned.pause().stop().destroy()
    }

    @Test
    fun `says why the wished-for backend does not run`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        activity.findViewById<View>(R.id.backend).performClick()
        assertEquals(Backend.GPU, wishes.last())
        val figures = activity.findViewById<TextView>(R.id.figures)
        source.fps = 30
        source.give()
        wait("the figures") { figures.text.contains("GPU") }
        assertTrue(figures.text.toString(), figures.text.contains("a fake") && figures.text.contains("GPU: not in this test"))
        assertTrue(figures.text.contains("camera to screen p50") && figures.text.contains("age of what is shown p50"))
        controller.pause().stop().destroy()
    }

    @Test
    fun `says that the camera is gone and goes on when it is back`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        source.listener!!.onState(CameraState.Lost("another app took it"))
        wait("the message") { message(activity) == "the camera is gone: another app took it" }
        source.listener!!.onState(CameraState.Running)
        wait("the message to go") { message(activity) == null }
        controller.pause().stop().destroy()
    }

    @Test
    fun `names what kernels refuse and survives it`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        val short = direct(10)
        source.listener!!.onFrame(FakeFrame(640, 480, short, short, short, 640, 640, 640, 2, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_BUFFER_TOO_SMALL" }
        source.listener!!.onFrame(FakeFrame(0, 480, short, short, short, 640, 640, 640, 2, 90))
        wait("the message") { message(activity) == "preprocess: MK_ERROR_SIZE" }
        source.give()
        wait("an answer") { activity.findViewById<View>(R.id.overlay).contentDescription != null }
        controller.pause().stop().destroy()
    }

    @Test
    fun `says that there is no camera`() {
        allow()
        noCamera = "this device has no back camera"
        val controller = launch()
        assertEquals("this device has no back camera", message(controller.get()))
        controller.pause().stop().destroy()
    }

    @Test
    fun `keeps a correction in the log`() {
        allow()
        val controller = launch()
        val activity = controller.get()
        val overlay = activity.findViewById<View>(R.id.overlay)
        source.give()
        wait("an answer") { overlay.contentDescription != null }
        overlay.performClick()
        val dialog = ShadowAlertDialog.getLatestDialog() as AlertDialog
        dialog.findViewById<EditText>(R.id.correction).setText("teapot")
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        wait("the event") { File(activity.getExternalFilesDir(null), EventLog.FILE).readLines().size > 1 }
        val lines = File(activity.getExternalFilesDir(null), EventLog.FILE).readLines().map(::JSONObject)
        assertEquals(listOf("shown", "corrected"), lines.map { it.getString("event") })
        assertEquals("teapot", lines[1].getString("correction"))
        assertEquals("class 7", lines[1].getString("label"))
        assertTrue(lines.all { it.getInt("version") == 1 })
        controller.pause().stop().destroy()
    }

    private fun bench(extras: Intent.() -> Unit): Pair<ActivityController<BenchActivity>, File> {
        val intent = Intent(application, BenchActivity::class.java).apply(extras)
        val controller = Robolectric.buildActivity(BenchActivity::class.java, intent).setup()
        drawn = controller.get()
        return controller to application.getExternalFilesDir(null)!!
    }

    @Test
    fun `the bench writes a report of the schema`() {
        allow()
        source.fps = 30
        val (controller, folder) = bench {
            putExtra("run_id", "run-1")
            putExtra("seconds", 1.0f)
            putExtra("warm_up", 0.05f)
            putExtra("frame_width", 640)
            putExtra("frame_height", 480)
        }
        val file = File(folder, "run-1.json")
        wait("the report", 60) { file.exists() }
        val report = JSONObject(file.readText())
        assertFalse(report.toString(), report.has("error"))
        // Python validates it against the schema: tests/android/test_jvm.py.
        System.getProperty("mobilekit.report")?.let { file.copyTo(File(it), overwrite = true) }
        controller.get().finish()
        controller.pause().stop().destroy()
    }

    @Test
    fun `the bench answers an error where it cannot run`() {
        val (controller, folder) = bench { putExtra("run_id", "run-2") }
        val error = JSONObject(File(folder, "run-2.json").readText()).getString("error")
        assertTrue(error, error.startsWith("the camera is not allowed: adb shell pm grant dev.mobilekit.demo"))
        controller.destroy()
    }

    @Test
    fun `the bench names a setting that is out of range and a missing model`() {
        allow()
        val (first, folder) = bench { putExtra("threads", 0) }
        assertEquals("threads is 0, it must be 1 to 256", JSONObject(File(folder, "mobilekit-manual.json").readText()).getString("error"))
        first.destroy()
        val (second, _) = bench { putExtra("run_id", "run-3"); putExtra("model", "/nowhere/net.tflite") }
        val error = JSONObject(File(folder, "run-3.json").readText()).getString("error")
        assertTrue(error, error.contains("/nowhere/net.tflite") && error.contains("missing"))
        second.destroy()
    }

    @Test
    fun `the bench tells of a camera that goes`() {
        allow()
        val (controller, folder) = bench { putExtra("run_id", "run-4"); putExtra("warm_up", 0.0f) }
        source.listener!!.onState(CameraState.Lost("another app took it"))
        val file = File(folder, "run-4.json")
        wait("the answer") { file.exists() }
        assertEquals("the camera is gone: another app took it", JSONObject(file.readText()).getString("error"))
        controller.pause().stop().destroy()
    }

    @Test
    fun `a run id cannot lead out of the folder`() {
        allow()
        val (controller, folder) = bench { putExtra("run_id", "../../x") }
        assertNotNull(JSONObject(File(folder, "mobilekit-manual.json").readText()).getString("error"))
        controller.destroy()
    }
}
