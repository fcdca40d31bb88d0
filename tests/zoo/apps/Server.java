import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Executors;

/** jdk.httpserver with eight threads; a log line for each response that was sent. */
public final class Server {
    private static final byte[] FILE = new byte[5_000_011];

    public static void main(String[] arguments) throws IOException {
        Arrays.fill(FILE, (byte) 'x');
        HttpServer server = HttpServer.create(
            new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 128);
        server.createContext("/", Server::response);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.start();
    }

    private static void response(HttpExchange exchange) throws IOException {
        try (exchange; InputStream body = exchange.getRequestBody()) {
            body.transferTo(java.io.OutputStream.nullOutputStream());
            String path = exchange.getRequestURI().getPath();
            boolean conditional = exchange.getRequestHeaders().containsKey("If-None-Match");
            if (path.endsWith("/moved")) {
                exchange.getResponseHeaders().set("Location", "/");
                send(exchange, 301, new byte[0]);
            } else if (path.endsWith("/none")) {
                send(exchange, 204, new byte[0]);
            } else if (path.endsWith("/file.bin")) {
                send(exchange, 200, FILE);
            } else if (path.endsWith("/ok") && conditional) {
                send(exchange, 304, new byte[0]);
            } else if (path.endsWith("/ok") || path.endsWith("/upload")) {
                send(exchange, 200, "ok\n".getBytes(StandardCharsets.US_ASCII));
            } else {
                send(exchange, 404, "no such thing\n".getBytes(StandardCharsets.US_ASCII));
            }
        }
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        String method = exchange.getRequestMethod();
        boolean empty = body.length == 0 || method.equals("HEAD");
        System.out.println(method + " " + exchange.getRequestURI() + " " + status);
        exchange.sendResponseHeaders(status, empty ? -1 : body.length);
        if (!empty) {
            exchange.getResponseBody().write(body);
        }
    }
}
