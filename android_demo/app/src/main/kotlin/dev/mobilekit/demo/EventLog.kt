package dev.mobilekit.demo

import java.io.File
import java.io.IOException
import java.util.concurrent.Executor
import org.json.JSONObject

/**
 * What the user did with a result, as JSON lines; the evaluation of the service reads them.
 *
 *     {"version":1,"time_ms":1700000000000,"event":"corrected","model_sha256":"...","index":3,"label":"cat","score":0.7,"correction":"dog"}
 *
 * Events: shown, accepted, corrected, abandoned. A text has no class: its index is -1.
 */
class EventLog(
    private val file: File,
    private val modelSha256: String,
    /** Of one thread, so that the lines keep their order; not the main thread: a file system may take its time. */
    private val writer: Executor,
    /** Told, on the writer's thread, why an event could not be kept (no room, no folder). */
    private val failed: (String) -> Unit,
    private val now: () -> Long = System::currentTimeMillis,
) {
    private var shownLabel: String? = null
    private var shownMs = 0L

    /** Comes at once and is written soon. */
    fun add(event: Event, index: Int, label: String, score: Float, correction: String? = null) {
        val line = JSONObject()
            .put("version", VERSION)
            .put("time_ms", now())
            .put("event", event.name.lowercase())
            .put("model_sha256", modelSha256)
            .put("index", index)
            .put("label", label)
            .put("score", if (score.isFinite()) score.toDouble() else JSONObject.NULL)
        if (correction != null) line.put("correction", correction)
        writer.execute {
            try {
                // One write of a whole line: a crash leaves the lines before it.
                file.appendText(line.toString() + "\n")
            } catch (error: IOException) {
                failed("the event was not kept: ${error.message}")
            }
        }
    }

    /**
     * The best answer on the screen, told at every drawing: an event where it is another one than the last that was kept, at
     * most twice a second (a flickering answer would fill the phone), or [atOnce] where the user does something with it.
     */
    fun shown(index: Int, label: String, score: Float, atOnce: Boolean = false) {
        val time = now()
        if (label == shownLabel || !atOnce && shownLabel != null && time - shownMs < SHOWN_EVERY_MS) return
        shownLabel = label
        shownMs = time
        add(Event.SHOWN, index, label, score)
    }

    enum class Event { SHOWN, ACCEPTED, CORRECTED, ABANDONED }

    companion object {
        const val VERSION = 1
        const val FILE = "events.jsonl"
        const val SHOWN_EVERY_MS = 500L
    }
}
