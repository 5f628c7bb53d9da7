package dev.mobilekit.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/**
 * Draws the answers over the preview: boxes where there are some, else lines at the bottom. Strings are made when what they say
 * changes, never in [onDraw].
 */
class OverlayView @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    /** Called on the main thread at the end of each drawing, with its time in the clock of nanoTime. */
    var onDrawn: ((Long) -> Unit)? = null

    /** The view that boxes are relative to, a sibling of this one; null: this one. */
    var picture: View? = null

    /** Whether [picture] is a mirror. */
    var mirrored: Boolean
        get() = placement.mirrored
        set(value) {
            placement.mirrored = value
        }

    private val density = resources.displayMetrics.density
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = Color.WHITE
        textSize = 20 * density
        setShadowLayer(4 * density, 0f, 0f, Color.BLACK)
    }
    private val bar = Paint().apply { color = Color.argb(160, 0, 150, 136) }
    private val frame = Paint().apply {
        color = Color.rgb(0, 150, 136)
        style = Paint.Style.STROKE
        strokeWidth = 3 * density
    }
    private val placement = Placement()

    /** What the best of the answers is called, if there is one. */
    val best: String get() = labels[0]
    private val box = FloatArray(4)
    private var answers = Answers(0)
    private var labels = emptyArray<String>()

    /** Shows [next], whose words are those of [words]. */
    fun show(next: Answers, words: Postprocessor) {
        if (answers.capacity < next.capacity || answers.symbols.size < next.symbols.size || answers.boxes.size < next.boxes.size) {
            answers = words.answers()
            labels = Array(next.capacity) { "" }
        }
        for (at in 0 until next.count) if (!answers.sameWords(next, at)) labels[at] = words.label(next, at)
        answers.copyFrom(next)
        contentDescription = if (answers.count > 0) best else null
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        if (answers.boxes.isEmpty()) drawLines(canvas) else drawBoxes(canvas)
        onDrawn?.invoke(System.nanoTime())
    }

    private fun drawLines(canvas: Canvas) {
        val step = text.textSize * LINE_SPACING
        val lines = minOf(answers.count, MAX_LINES)
        for (line in 0 until lines) {
            val share = answers.scores[line].coerceIn(0f, 1f)
            val bottom = height - (lines - line - 1) * step - step / 2
            canvas.drawRect(0f, bottom - text.textSize, width * share, bottom + text.textSize / LINE_SPACING / 2, bar)
            canvas.drawText(percent(line), MARGIN * density, bottom, text)
            canvas.drawText(labels[line], NAMES * density, bottom, text)
        }
    }

    private fun drawBoxes(canvas: Canvas) {
        val picture = this.picture
        placement.left = if (picture == null) 0f else (picture.left - left).toFloat()
        placement.top = if (picture == null) 0f else (picture.top - top).toFloat()
        placement.width = (picture ?: this).width.toFloat()
        placement.height = (picture ?: this).height.toFloat()
        // The best last: on top of the others.
        for (at in answers.count - 1 downTo 0) {
            placement.place(answers, at, box)
            canvas.drawRect(box[0], box[1], box[2], box[3], frame)
            // Above the box; inside where that would be off the screen.
            val line = if (box[1] > text.textSize * LINE_SPACING) box[1] - MARGIN * density / 2 else box[1] + text.textSize
            canvas.drawText(percent(at), box[0], line, text)
            canvas.drawText(labels[at], box[0] + (NAMES - MARGIN) * density, line, text)
        }
    }

    private fun percent(at: Int) = PERCENT[Math.round(answers.scores[at].coerceIn(0f, 1f) * 100)]

    private companion object {
        const val MAX_LINES = 5
        const val LINE_SPACING = 1.4f
        const val MARGIN = 12f
        const val NAMES = 80f
        val PERCENT = Array(101) { "$it %" }
    }
}
