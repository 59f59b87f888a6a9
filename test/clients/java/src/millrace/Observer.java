package millrace;

import java.io.PrintStream;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import org.apache.kafka.common.KafkaException;

/** Writes what a scenario saw: one JSON line a step. A step is told once only, so that lines can be compared by name. */
public final class Observer {
    /** A scenario that hangs must not take the others with it. */
    private static final long SCENARIO_TIMEOUT_S = 90;
    private static final long SETTLED_TIMEOUT_S = 5;

    public interface Body {
        void run() throws Exception;
    }

    private final PrintStream out;
    private final String family;
    private final Set<String> told = new HashSet<>();
    private String scenario = "";

    public Observer(PrintStream out, String family) {
        this.out = out;
        this.family = family;
    }

    /** An exception that escapes the body is an observation too. */
    public void scenario(String name, Body body) {
        scenario = family + ": " + name;
        ExecutorService thread = Executors.newSingleThreadExecutor();
        Future<?> done = thread.submit(() -> {
            body.run();
            return null;
        });
        try {
            done.get(SCENARIO_TIMEOUT_S, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            saw("end", "no end in " + SCENARIO_TIMEOUT_S + " s");
        } catch (Exception thrown) {
            Throwable cause = thrown.getCause() == null ? thrown : thrown.getCause();
            cause.printStackTrace();
            saw("end", nameOf(cause));
        } finally {
            thread.shutdownNow();
        }
    }

    /** Writes the value of a call, or the name of its error. */
    public void attempt(String step, Callable<?> call) {
        Object result;
        try {
            result = call.call();
        } catch (InterruptedException late) {
            Thread.currentThread().interrupt();
            return;
        } catch (Throwable thrown) {
            // Also a method that an older client does not have.
            result = nameOf(thrown);
        }
        saw(step, result);
    }

    /** What a call comes to within a while: Kafka answers some changes before its broker knows of them. */
    public static <T> T settled(Callable<T> call, Predicate<T> done) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(SETTLED_TIMEOUT_S);
        T last = call.call();
        while (!done.test(last) && System.nanoTime() < until) {
            Thread.sleep(50);
            last = call.call();
        }
        return last;
    }

    public synchronized void saw(String step, Object result) {
        if (!told.add(scenario + "\0" + step)) throw new IllegalStateException("told twice: " + scenario + ", " + step);
        String line = "{\"scenario\":" + quoted(scenario) + ",\"step\":" + quoted(step) + ",\"result\":"
            + quoted(String.valueOf(result)) + "}";
        synchronized (out) {
            out.println(line);
            out.flush();
        }
    }

    /** The class of what really happened, without the wrappings of futures and of the clients. */
    public static String nameOf(Throwable thrown) {
        Throwable inner = thrown;
        while (inner.getCause() != null
            && (inner instanceof ExecutionException
                || inner instanceof CompletionException
                || inner.getClass() == KafkaException.class)) {
            inner = inner.getCause();
        }
        return inner.getClass().getSimpleName();
    }

    private static String quoted(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') json.append('\\').append(c);
            else if (c < 0x20) json.append(String.format("\\u%04x", (int) c));
            else json.append(c);
        }
        return json.append('"').toString();
    }
}
