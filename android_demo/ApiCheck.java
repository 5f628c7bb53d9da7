import java.io.File;
import java.io.FileInputStream;
import java.util.List;
import java.util.Set;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/** java ApiCheck.java SIGNATURE CLASSES: prints every reference of the app's classes to what the signature does not have. */
class ApiCheck {
    public static void main(String[] arguments) throws Exception {
        Set<String> inTheApp = Set.of("dev.mobilekit.*", "kotlin.*", "org.tensorflow.*");
        var checker = new SignatureChecker(new FileInputStream(arguments[0]), inTheApp, new PrintWriterLogger(System.out));
        checker.setSourcePath(List.of());
        checker.process(new File(arguments[1]));
    }
}
