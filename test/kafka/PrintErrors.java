// Prints every error code of Kafka's client library: number, name, and whether a client tries again.
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

public class PrintErrors {
  public static void main(String[] arguments) {
    for (Errors error : Errors.values()) {
      System.out.println(error.code() + " " + error.name() + " " + (error.exception() instanceof RetriableException));
    }
  }
}
