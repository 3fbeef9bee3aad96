import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;

/** What the programs here have in common: where they find the cluster, and how they tell what came of it. */
final class Report {
    static final String BROKERS = System.getenv("KAFKA_BROKERS");
    /** What every name begins with, so that runs on one cluster do not meet. */
    static final String NAME = System.getenv("KAFKA_NAME");
    static final long DEADLINE_MS = 30_000;

    private Report() {}

    interface Step {
        void run() throws Exception;
    }

    interface Poll {
        boolean done() throws Exception;
    }

    static void say(String what, Object... results) {
        StringBuilder line = new StringBuilder(what);
        for (Object result : results) {
            line.append(' ').append(result);
        }
        System.out.println(line);
    }

    /** Says what the call gives, or the error that it ends with. */
    static void tell(String what, Callable<?> call) {
        try {
            say(what + ":", call.call());
        } catch (Throwable error) {
            say(what + ":", cause(error));
        }
    }

    static String cause(Throwable error) {
        while ((error instanceof ExecutionException || error instanceof CompletionException) && error.getCause() != null) {
            error = error.getCause();
        }
        String text = error.getMessage();
        // Without numbers that a cluster gives out, and what a library says of an expression.
        text = text == null ? "" : text.replaceAll("127\\.0\\.0\\.1:[0-9]+", "BROKER").replaceAll("(not a valid regular expression): .*", "$1");
        return error.getClass().getSimpleName() + " (" + text + ")";
    }

    static void until(String what, Poll poll) throws Exception {
        long end = System.currentTimeMillis() + DEADLINE_MS;
        while (!poll.done()) {
            if (System.currentTimeMillis() > end) {
                throw new IllegalStateException("did not happen: " + what);
            }
        }
    }
}
