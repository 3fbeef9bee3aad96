import java.util.List;

/** Kafka's own Java clients, through what a cluster offers; prints what must be the same on every one. */
public final class Clients {
    private Clients() {}

    public static void main(String[] args) throws Exception {
        for (String part : args.length > 0 ? List.of(args) : List.of("records", "admin", "classic", "consumer", "transactions")) {
            Report.say("==", part);
            switch (part) {
                case "records" -> Records.run();
                case "admin" -> Administration.run();
                case "classic", "consumer" -> Groups.run(part);
                case "transactions" -> Transactions.run();
                default -> throw new IllegalArgumentException(part);
            }
        }
        // A client that hangs in its close must not hold up the end.
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }
}
