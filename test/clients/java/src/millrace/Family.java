package millrace;

/** Scenarios about one area. Implementations have a constructor without arguments: `Run` finds them by name. */
public interface Family {
    void run(Target target, Observer see) throws Exception;
}
