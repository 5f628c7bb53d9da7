// For Android Studio. Not run by this project: neither Gradle nor Google's repository can be had where its CI runs, so build.py
// builds the same app from the same sources (docs/android.md). Versions are those of constraints/android.txt.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "mobilekit-demo"
include(":app")
