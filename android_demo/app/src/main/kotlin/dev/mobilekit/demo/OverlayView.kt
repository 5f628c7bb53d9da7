package dev.mobilekit.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View

/** Draws the answers over the preview. Strings are made when the answers' classes change, never in [onDraw]. */
class OverlayView @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) : View(context, attributes) {
    /** Called on the main thread at the end of each drawing, with its time in the clock of nanoTime. */
    var onDrawn: ((Long) -> Unit)? = null

    private val density = resources.displayMetrics.density
    private val text = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = Color.WHITE
        textSize = 20 * density
        setShadowLayer(4 * density, 0f, 0f, Color.BLACK)
    }
    private val bar = Paint().apply { color = Color.argb(160, 0, 150, 136) }
    private val answers = Answers(MAX_LINES)
    private val labels = Array(MAX_LINES) { "" }

    /** Shows [next]; [label] is asked only for classes that are new on their line. */
    fun show(next: Answers, label: (Int) -> String) {
        val before = answers.count
        for (line in 0 until minOf(next.count, MAX_LINES)) {
            if (line >= before || answers.indices[line] != next.indices[line]) labels[line] = label(next.indices[line])
            answers.indices[line] = next.indices[line]
            answers.scores[line] = next.scores[line]
        }
        answers.count = minOf(next.count, MAX_LINES)
        contentDescription = if (answers.count > 0) labels[0] else null
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val step = text.textSize * LINE_SPACING
        for (line in 0 until answers.count) {
            val share = answers.scores[line].coerceIn(0f, 1f)
            val bottom = height - (answers.count - line - 1) * step - step / 2
            canvas.drawRect(0f, bottom - text.textSize, width * share, bottom + text.textSize / LINE_SPACING / 2, bar)
            canvas.drawText(PERCENT[Math.round(share * 100)], MARGIN * density, bottom, text)
            canvas.drawText(labels[line], NAMES * density, bottom, text)
        }
        onDrawn?.invoke(System.nanoTime())
    }

    private companion object {
        const val MAX_LINES = 5
        const val LINE_SPACING = 1.4f
        const val MARGIN = 12f
        const val NAMES = 80f
        val PERCENT = Array(101) { "$it %" }
    }
}
