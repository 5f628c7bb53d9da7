package dev.mobilekit.demo

/**
 * Where a box of the frame as stored lies on the screen: turned upright, mirrored with the preview of a front camera, fitted to
 * the preview's rectangle.
 *
 *     stored           upright (90)      mirrored
 *     +--------+       +-----+           +-----+
 *     | #      |       |   # |           | #   |
 *     |        |  -->  |     |    -->    |     |
 *     +--------+       +-----+           +-----+
 *
 * The preview shows the whole frame, whatever the model's crop was.
 */
class Placement {
    /** Pixels of the view that shows the boxes. */
    var left = 0f
    var top = 0f
    var width = 0f
    var height = 0f

    /** A front camera's preview is a mirror; its frames are not. */
    var mirrored = false

    /** Box [at] of [answers] -> x1 y1 x2 y2 in [into], x1 <= x2 and y1 <= y2. */
    fun place(answers: Answers, at: Int, into: FloatArray) {
        corner(answers, answers.boxes[4 * at], answers.boxes[4 * at + 1], into, 0)
        corner(answers, answers.boxes[4 * at + 2], answers.boxes[4 * at + 3], into, 2)
        for (axis in 0 until 2) {
            val low = minOf(into[axis], into[axis + 2])
            into[axis + 2] = maxOf(into[axis], into[axis + 2])
            into[axis] = low
        }
    }

    private fun corner(answers: Answers, x: Float, y: Float, into: FloatArray, at: Int) {
        val u = x / answers.frameWidth
        val v = y / answers.frameHeight
        // Clockwise, as Frame.rotation.
        val across = when (answers.frameRotation) {
            90 -> 1 - v
            180 -> 1 - u
            270 -> v
            else -> u
        }
        val down = when (answers.frameRotation) {
            90 -> u
            180 -> 1 - v
            270 -> 1 - u
            else -> v
        }
        into[at] = left + width * (if (mirrored) 1 - across else across)
        into[at + 1] = top + height * down
    }
}
