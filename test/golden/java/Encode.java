import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.File;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.util.Base64;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Lets Apache Kafka's own classes write messages: reads samples (class, version, what it says) from the first file,
 * adds the bytes, writes them to the second. A sample of a version that these classes do not have is left as it is.
 * Every sample is also read back from its bytes and compared, so that what it says is all that Kafka reads in it.
 */
public class Encode {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    ArrayNode samples = (ArrayNode) JSON.readTree(new File(arguments[0]));
    int failed = 0;
    for (JsonNode one : samples) {
      ObjectNode sample = (ObjectNode) one;
      if (sample.has("bytes")) continue;
      try {
        byte[] bytes = encode(sample);
        if (bytes != null) sample.put("bytes", Base64.getEncoder().encodeToString(bytes));
      } catch (InvocationTargetException error) {
        failed += 1;
        System.err.println(sample.get("class").asText() + " v" + sample.get("version") + ": " + error.getCause());
      }
    }
    JSON.writeValue(new File(arguments[1]), samples);
    System.exit(failed == 0 ? 0 : 1);
  }

  private static byte[] encode(ObjectNode sample) throws Exception {
    String name = sample.get("class").asText();
    short version = (short) sample.get("version").asInt();
    Class<?> type;
    Class<?> converter;
    try {
      type = Class.forName(name);
      converter = Class.forName(name + "JsonConverter");
    } catch (ClassNotFoundException absent) {
      return null;
    }
    short lowest = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
    short highest = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
    if (version < lowest || version > highest) return null;
    Method read = converter.getMethod("read", JsonNode.class, short.class);
    Message message = (Message) read.invoke(null, sample.get("json"), version);
    ByteBuffer body = bytes(message, version);
    Message again = (Message) type.getConstructor().newInstance();
    again.read(new ByteBufferAccessor(body.duplicate()), version);
    if (!again.equals(message)) throw new InvocationTargetException(new Exception("reads back as " + again));
    ByteBuffer header = header(sample, version);
    ByteBuffer whole = ByteBuffer.allocate(header.remaining() + body.remaining());
    whole.put(header).put(body.duplicate());
    return whole.array();
  }

  private static ByteBuffer header(ObjectNode sample, short version) {
    switch (sample.get("kind").asText()) {
      case "request": {
        ApiKeys api = ApiKeys.forId(sample.get("key").asInt());
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey(api.id)
            .setRequestApiVersion(version)
            .setCorrelationId(7)
            .setClientId("golden");
        return bytes(header, api.requestHeaderVersion(version));
      }
      case "response": {
        ApiKeys api = ApiKeys.forId(sample.get("key").asInt());
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(7);
        return bytes(header, api.responseHeaderVersion(version));
      }
      default:
        return ByteBuffer.allocate(0);
    }
  }

  private static ByteBuffer bytes(Message message, short version) {
    ObjectSerializationCache cache = new ObjectSerializationCache();
    ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
    message.write(new ByteBufferAccessor(buffer), cache, version);
    buffer.flip();
    return buffer;
  }
}
