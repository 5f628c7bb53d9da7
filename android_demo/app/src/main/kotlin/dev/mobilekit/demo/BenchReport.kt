package dev.mobilekit.demo

import org.json.JSONArray
import org.json.JSONObject

/** The JSON of mobilekit/bench/data/bench_report.schema.json. */
class BenchReport(
    val created: String,
    val model: String,
    val environment: JSONObject,
    val doubts: List<String>,
    val settings: JSONObject,
    val pipeline: JSONObject,
    val assumptions: List<Assumption>,
    val account: Account,
    val processing: Summary,
    val throughputQps: Double,
    val modelLoadMs: Double,
    val firstInferenceMs: Double,
    val warmUpRuns: Int,
    val peakRssMb: Double,
    val baselineRssMb: Double,
    val frameMb: Double,
    val cpuPercent: Double,
) {
    class Assumption(val name: String, val value: Double, val unit: String, val source: String)

    fun toJson(): JSONObject = JSONObject()
        .put("format_version", 1)
        .put("kind", "bench")
        .put("mobilekit_version", BuildFacts.VERSION)
        .put("created", created)
        .put("device", "android")
        .put("model", model)
        .put("weights", "as in $model")
        .put("environment", environment)
        .put("doubts", JSONArray(doubts))
        .put("settings", settings)
        .put("pipeline", pipeline)
        .put("assumptions", JSONArray(assumptions.map(::json)))
        .put("delivered", json(account.delivered))
        .put("age", json(account.age))
        .put(
            "stages",
            JSONArray(account.stages.map { JSONObject().put("name", it.name).put("provenance", it.provenance).put("summary", json(it)) }),
        )
        .put("processing", json(processing))
        .put("throughput_qps", throughputQps)
        .put("throughput_workers", 1)
        .put("frames_due", account.framesDue)
        .put("frames_delivered", account.framesDelivered)
        .put("frames_overwritten", account.framesOverwritten)
        .put("frames_superseded", account.framesSuperseded)
        .put("dropped_percent", account.droppedPercent)
        .put("jank_percent", account.jankPercent)
        .put("result_fps", account.resultFps)
        .put("phase_p50_ms", JSONObject.NULL)
        .put("camera_late", JSONObject.NULL)
        .put("model_load_ms", modelLoadMs)
        .put("first_inference_ms", firstInferenceMs)
        .put("warm_up_runs", warmUpRuns)
        .put("peak_rss_mb", peakRssMb)
        .put("baseline_rss_mb", baselineRssMb)
        .put("frame_ring_mb", frameMb)
        .put("cpu_percent", cpuPercent)
        .put("drift_percent", account.driftPercent ?: JSONObject.NULL)

    private fun json(a: Assumption) = JSONObject().put("name", a.name).put("value", a.value).put("unit", a.unit).put("source", a.source)

    private fun json(s: Summary) = JSONObject()
        .put("name", s.name).put("provenance", s.provenance).put("count", s.valuesMs.size)
        .put("mean_ms", s.mean).put("stdev_ms", s.stdev)
        .put("p50_ms", s.percentile(50)).put("p90_ms", s.percentile(90)).put("p99_ms", s.percentile(99))
        .put("max_ms", s.percentile(100))
        .put("values_ms", JSONArray(s.valuesMs))
}
