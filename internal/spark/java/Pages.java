package hearth;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import javax.servlet.Filter;
import javax.servlet.FilterChain;
import javax.servlet.FilterConfig;
import javax.servlet.ServletException;
import javax.servlet.ServletRequest;
import javax.servlet.ServletResponse;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.spark.SparkConf;
import org.apache.spark.deploy.history.FsHistoryProvider;
import org.apache.spark.deploy.history.HistoryServer;
import org.apache.spark.deploy.history.HistoryServer$;
import org.apache.spark.status.api.v1.ApplicationInfo;
import scala.collection.Iterator;

/**
 * Spark's pages, shown to the Hearth server only: requests have to carry a secret, because every user
 * of the machine reaches a port of the loopback address.
 *
 * <p>As a program it is Spark's history server for the event logs in one directory. It takes the
 * secret from the first line of its standard input, says where it listens when it has read the logs,
 * and ends with its input.
 */
public final class Pages implements Filter {
    private static final String LOOPBACK = "127.0.0.1";

    // Where the one application of a history server is; "" when there are more, or none.
    private static volatile String only = "";

    private byte[] secret = new byte[0];

    public void init(FilterConfig config) throws ServletException {
        String given = config.getInitParameter("secret");
        if (given == null || given.length() == 0) {
            throw new ServletException("hearth.Pages needs a secret.");
        }
        this.secret = given.getBytes(StandardCharsets.US_ASCII);
    }

    public void doFilter(ServletRequest any, ServletResponse answer, FilterChain next) throws IOException, ServletException {
        HttpServletRequest request = (HttpServletRequest) any;
        HttpServletResponse response = (HttpServletResponse) answer;
        String shown = request.getHeader("X-Hearth-Driver-Secret");
        if (shown == null || !MessageDigest.isEqual(this.secret, shown.getBytes(StandardCharsets.US_ASCII))) {
            response.sendError(403, "These pages are reached through the Hearth server only: ask it for a link with GetResourceDashboard.");
            return;
        }
        String path = request.getRequestURI();
        if (only.length() > 0 && !(path.startsWith("/history/") || path.startsWith("/static/") || path.startsWith("/api/"))) {
            // A page as the driver had it: the same one is in its history.
            String query = request.getQueryString();
            response.sendRedirect(only + ("/".equals(path) ? "/jobs/" : path) + (query == null ? "" : "?" + query));
            return;
        }
        next.doFilter(any, answer);
    }

    public void destroy() {
    }

    public static void main(String[] args) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        SparkConf conf = new SparkConf();
        conf.set("spark.history.fs.logDirectory", args[0]);
        conf.set("spark.history.fs.update.interval", "1d"); // what has ended changes no more
        conf.set("spark.ui.filters", "hearth.Pages");
        conf.set("spark.hearth.Pages.param.secret", input.readLine());
        FsHistoryProvider provider = new FsHistoryProvider(conf);
        HistoryServer server = new HistoryServer(conf, provider, HistoryServer$.MODULE$.createSecurityManager(conf), 0);
        server.bind();
        provider.start();
        while (provider.getLastUpdatedTime() <= 0 || provider.getEventLogsUnderProcess() > 0) {
            Thread.sleep(20);
        }
        Iterator applications = server.getApplicationList();
        if (applications.hasNext()) {
            ApplicationInfo first = (ApplicationInfo) applications.next();
            only = applications.hasNext() ? "" : "/history/" + first.id();
        }
        System.out.println(LOOPBACK + ":" + server.boundPort());
        while (input.readLine() != null) {
            continue;
        }
        Runtime.getRuntime().halt(0);
    }
}
