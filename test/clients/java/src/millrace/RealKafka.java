package millrace;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;

/** Formats the storage that a properties file names and runs Apache Kafka on it, in one virtual machine. */
public final class RealKafka {
    public static void main(String[] args) {
        String properties = args[0];
        String clusterId = args[1];
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        String[] format = {"format", "--ignore-formatted", "-t", clusterId, "-c", properties};
        if (kafka.tools.StorageTool.execute(format, new PrintStream(said)) != 0) {
            System.err.println("cannot format: " + said);
            Runtime.getRuntime().halt(1);
        }
        kafka.Kafka.main(new String[] {properties});
    }
}
