package millrace;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's tools one after the other in one virtual machine: a line on stdin is a main class and its arguments,
 * each in base64, divided by spaces; a line on stdout is the exit code and what the tool wrote, in base64.
 */
public final class Tools {
    /** Thrown where a tool would end the virtual machine. */
    private static final class Ended extends RuntimeException {
        Ended() {
            super(null, null, false, false);
        }
    }

    /** Where the running tool writes, and how it ended: tools catch our exception, complain and end once more. */
    private static ByteArrayOutputStream written;
    private static Integer exitCode;
    private static int length;

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        Exit.setExitProcedure((code, message) -> ended(code));
        Exit.setHaltProcedure((code, message) -> ended(code));
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            for (int i = 0; i < words.length; i++) words[i] = text(Base64.getDecoder().decode(words[i]));
            written = new ByteArrayOutputStream();
            exitCode = null;
            run(words);
            byte[] text = written.toByteArray();
            String encoded = Base64.getEncoder().encodeToString(Arrays.copyOf(text, length));
            answers.println(exitCode + " " + encoded);
            answers.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private static void run(String[] words) {
        PrintStream errors = System.err;
        PrintStream capture = new PrintStream(written, true, StandardCharsets.UTF_8);
        System.setOut(capture);
        System.setErr(capture);
        String[] arguments = Arrays.copyOfRange(words, 1, words.length);
        int code = 0;
        try {
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (Throwable thrown) {
            code = 1;
            if (exitCode == null) capture.println("thrown: " + Observer.nameOf(thrown.getCause() == null ? thrown : thrown.getCause()));
        } finally {
            System.setErr(errors);
        }
        note(code);
    }

    private static void ended(int code) {
        note(code);
        throw new Ended();
    }

    /** The first end counts, and what was written until then. */
    private static void note(int code) {
        if (exitCode != null) return;
        exitCode = code;
        length = written.size();
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
