import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.okhttp.OkHttpChannelBuilder;
import io.grpc.stub.ClientCalls;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/**
 * grpc-java as a client, over Netty or OkHttp: health checks over one channel, one JSON line of what its user saw.
 *
 * <p>Compiled once and run with the jars of any release: what changed its signature is called by reflection, and the empty
 * health request is encoded here, so that neither protoc nor a protobuf runtime is needed.
 */
public final class Check {
  private static final long STARTED = System.nanoTime();

  private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        byte[] message = new byte[64];
        int length = 0;
        for (int read = 0; read >= 0 && length < message.length; read = stream.read(message, length, message.length - length)) {
          length += read;
        }
        return message;
      } catch (IOException failure) {
        throw new IllegalStateException(failure);
      }
    }
  }

  public static void main(String[] words) throws Exception {
    Map<String, String> arguments = new HashMap<>();
    for (int i = 0; i + 1 < words.length; i += 2) {
      arguments.put(words[i].substring(2), words[i + 1]);
    }
    int checks = Integer.parseInt(arguments.getOrDefault("checks", "2"));
    ManagedChannel channel = channel(arguments);
    MethodDescriptor<byte[], byte[]> method = method();
    StringBuilder calls = new StringBuilder();
    for (int i = 0; i < checks; i++) {
      if (i > 0) {
        Thread.sleep(20);
        calls.append(", ");
      }
      String failed = null;
      try {
        ClientCalls.blockingUnaryCall(
            channel, method, CallOptions.DEFAULT.withDeadlineAfter(25, TimeUnit.SECONDS), new byte[0]);
      } catch (StatusRuntimeException failure) {
        failed = failure.toString();
      }
      double at = (System.nanoTime() - STARTED) / 1e9;
      calls.append(String.format(Locale.ROOT, "{\"at_s\": %.3f, \"error\": %s}", at, quoted(failed)));
      if (failed != null) {
        break;
      }
    }
    channel.shutdownNow();
    channel.awaitTermination(1, TimeUnit.SECONDS);
    System.out.println("{\"rpcs\": [" + calls + "], \"output\": []}");
    System.exit(0);
  }

  private static MethodDescriptor<byte[], byte[]> method() {
    return MethodDescriptor.<byte[], byte[]>newBuilder()
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName("grpc.health.v1.Health/Check")
        .setRequestMarshaller(new Bytes())
        .setResponseMarshaller(new Bytes())
        .build();
  }

  private static ManagedChannel channel(Map<String, String> arguments) throws Exception {
    String address = arguments.get("address");
    String host = address.substring(0, address.lastIndexOf(':'));
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    String certificate = arguments.get("tls");
    boolean overNetty = arguments.getOrDefault("mode", "netty").equals("netty");
    ManagedChannelBuilder<?> builder =
        overNetty ? OverNetty.builder(host, port, certificate) : OverOkHttp.builder(host, port, certificate);
    if (certificate != null) {
      builder.overrideAuthority("muxbed.test");
    } else {
      plaintext(builder);
    }
    return builder.build();
  }

  /** Classes of their own, so that the jars of one transport are enough. */
  private static final class OverNetty {
    static ManagedChannelBuilder<?> builder(String host, int port, String certificate) throws Exception {
      NettyChannelBuilder builder = NettyChannelBuilder.forAddress(host, port);
      if (certificate != null) {
        builder.sslContext(GrpcSslContexts.forClient().trustManager(new File(certificate)).build());
      }
      return builder;
    }
  }

  private static final class OverOkHttp {
    static ManagedChannelBuilder<?> builder(String host, int port, String certificate) throws Exception {
      OkHttpChannelBuilder builder = OkHttpChannelBuilder.forAddress(host, port);
      if (certificate != null) {
        builder.sslSocketFactory(trusting(certificate).getSocketFactory());
      }
      return builder;
    }
  }

  /** {@code usePlaintext()} came in 1.11, and {@code usePlaintext(boolean)} went in 1.22. */
  private static void plaintext(ManagedChannelBuilder<?> builder) throws Exception {
    try {
      ManagedChannelBuilder.class.getMethod("usePlaintext").invoke(builder);
    } catch (NoSuchMethodException old) {
      ManagedChannelBuilder.class.getMethod("usePlaintext", boolean.class).invoke(builder, true);
    }
  }

  private static SSLContext trusting(String certificate) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (InputStream text = new FileInputStream(certificate)) {
      store.setCertificateEntry("server", CertificateFactory.getInstance("X.509").generateCertificate(text));
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    return context;
  }

  private static String quoted(String text) {
    if (text == null) {
      return "null";
    }
    StringBuilder quoted = new StringBuilder("\"");
    for (char letter : text.toCharArray()) {
      if (letter == '"' || letter == '\\') {
        quoted.append('\\').append(letter);
      } else if (letter < ' ') {
        quoted.append(String.format("\\u%04x", (int) letter));
      } else {
        quoted.append(letter);
      }
    }
    return quoted.append('"').toString();
  }
}
