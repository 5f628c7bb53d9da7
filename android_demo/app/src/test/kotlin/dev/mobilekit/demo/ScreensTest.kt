package dev.mobilekit.demo

import android.graphics.Bitmap
import android.graphics.Color
import android.view.View
import android.widget.TextView
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/**
 * The screens as Android's own renderer (Skia, in Robolectric) paints them. The camera's picture is a surface of its own and not
 * in them. -Dmobilekit.screens=FOLDER keeps them: docs/images has some.
 */
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(qualifiers = "w320dp-h480dp-mdpi")
class ScreensTest : AppTest() {
    private val teal = Color.rgb(0, 150, 136)

    /** The picture after an answer, of this name. */
    private fun screen(name: String, flips: Int = 0, check: (View, MainActivity) -> Unit = { _, _ -> }) {
        val controller = launch()
        val activity = controller.get()
        repeat(flips) {
            activity.findViewById<View>(R.id.flip).performClick()
            surface(activity)
        }
        source.fps = 0
        if (message(activity) == null) {
            source.give()
            val figures = activity.findViewById<TextView>(R.id.figures)
            wait("an answer and figures") {
                activity.findViewById<View>(R.id.overlay).contentDescription != null && figures.text.isNotEmpty()
            }
        }
        repeat(3) { // what changed last is laid out
            Thread.sleep(20)
            keepTime()
        }
        picture.eraseColor(Color.BLACK)
        activity.window.decorView.draw(android.graphics.Canvas(picture))
        System.getProperty("mobilekit.screens")?.let { folder ->
            File(folder, "$name.png").outputStream().use { picture.compress(Bitmap.CompressFormat.PNG, 100, it) }
        }
        check(activity.findViewById(R.id.preview), activity)
        controller.pause().stop().destroy()
    }

    /** What is painted at a point of a view, in shares of its sides. */
    private fun at(view: View, across: Double, down: Double): Int {
        val place = IntArray(2).also(view::getLocationInWindow)
        return picture.getPixel(place[0] + (view.width * across).toInt(), place[1] + (view.height * down).toInt())
    }

    /** One anchor of yolov8: centre 2, 5 and size 2, 2 in pixels of the 8 x 8 input, that is 1/8 to 3/8 across, 4/8 to 6/8 down. */
    private fun detector() = model(
        "[1, 6, 1]", """{"kind": "detection", "decoder": "yolov8", "score_threshold": 0.5}""", """["cat", "dog"]""",
        byteArrayOf(2, 5, 2, 2, 0, 1),
    )

    @Test
    fun `permission refused`() = screen("android-permission") { _, activity ->
        assertTrue(message(activity)!!.startsWith("The camera is not allowed"))
    }

    @Test
    fun classification() {
        allow()
        screen("android-classification") { _, activity ->
            // The best answer's bar begins at the left edge; below the first line there is no bar: its score is 0.
            val overlay = activity.findViewById<View>(R.id.overlay)
            assertNotEquals(Color.BLACK, at(overlay, 0.01, 1 - 4.6 * 28 / overlay.height))
        }
    }

    @Test
    fun detection() {
        allow()
        detector()
        screen("android-detection") { preview, _ ->
            assertEquals("left side", teal, at(preview, 1 / 8.0, 5 / 8.0))
            assertEquals("right side", teal, at(preview, 3 / 8.0, 5 / 8.0))
            assertEquals("top", teal, at(preview, 2 / 8.0, 4 / 8.0))
            assertEquals("bottom", teal, at(preview, 2 / 8.0, 6 / 8.0))
            assertNotEquals("inside", teal, at(preview, 2 / 8.0, 5 / 8.0))
        }
    }

    @Test
    fun `a front camera is a mirror`() {
        allow()
        detector()
        screen("android-front", flips = 1) { preview, _ ->
            assertEquals("left side", teal, at(preview, 5 / 8.0, 5 / 8.0))
            assertEquals("right side", teal, at(preview, 7 / 8.0, 5 / 8.0))
            assertNotEquals("where it would be without the mirror", teal, at(preview, 1 / 8.0, 5 / 8.0))
        }
    }

    @Test
    fun recognition() {
        allow()
        model(
            "[1, 4, 3]", """{"kind": "recognition"}""", """["", "o", "k"]""", byteArrayOf(0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1),
        )
        screen("android-recognition")
    }

    @Test
    fun `an op that the runtime has not`() {
        allow()
        Wiring.runner = { _, _, _, _ ->
            throw ModelException("Internal error: Cannot create interpreter: Didn't find op for builtin opcode 'STABLEHLO_COMPOSITE' version '1'.")
        }
        screen("android-unsupported")
    }
}
