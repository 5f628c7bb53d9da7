package dev.mobilekit.demo

import java.io.File
import java.io.IOException
import org.json.JSONObject

/**
 * What the user did with a result, as JSON lines; the evaluation of the service reads them.
 *
 *     {"version":1,"time_ms":1700000000000,"event":"corrected","model_sha256":"...","index":3,"label":"cat","score":0.7,"correction":"dog"}
 *
 * Events: shown, accepted, corrected, abandoned.
 */
class EventLog(
    private val file: File,
    private val modelSha256: String,
    private val now: () -> Long = System::currentTimeMillis,
) {
    /** Returns null, or why the event could not be kept (no room, no folder). */
    @Synchronized
    fun add(event: Event, index: Int, label: String, score: Float, correction: String? = null): String? {
        val line = JSONObject()
            .put("version", VERSION)
            .put("time_ms", now())
            .put("event", event.name.lowercase())
            .put("model_sha256", modelSha256)
            .put("index", index)
            .put("label", label)
            .put("score", if (score.isFinite()) score.toDouble() else JSONObject.NULL)
        if (correction != null) line.put("correction", correction)
        return try {
            // One write of a whole line: a crash leaves the lines before it.
            file.appendText(line.toString() + "\n")
            null
        } catch (error: IOException) {
            "the event was not kept: ${error.message}"
        }
    }

    enum class Event { SHOWN, ACCEPTED, CORRECTED, ABANDONED }

    companion object {
        const val VERSION = 1
        const val FILE = "events.jsonl"
    }
}
