package millrace;

import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/** `Run bootstrap saslBootstrap|- prefix parallel family…`: runs families, some at a time, and writes what they saw. */
public final class Run {
    public static void main(String[] args) throws Exception {
        PrintStream out = System.out;
        Target target = new Target(args[0], args[1].equals("-") ? null : args[1], args[2]);
        ExecutorService pool = Executors.newFixedThreadPool(Integer.parseInt(args[3]));
        for (String name : List.of(args).subList(4, args.length)) {
            pool.submit(() -> {
                long started = System.nanoTime();
                try {
                    Family family = (Family) Class.forName("millrace." + name).getDeclaredConstructor().newInstance();
                    family.run(target, new Observer(out, name));
                } catch (Throwable thrown) {
                    new Observer(out, name).scenario("start", () -> {
                        throw new IllegalStateException(thrown);
                    });
                }
                System.err.println(name + " took " + (System.nanoTime() - started) / 1_000_000 + " ms");
            });
        }
        pool.shutdown();
        boolean done = pool.awaitTermination(10, TimeUnit.MINUTES);
        // Threads of clients that hang must not keep the virtual machine.
        Runtime.getRuntime().halt(done ? 0 : 1);
    }
}
