package hearth;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.connect.config.Connect$;
import org.apache.spark.sql.connect.service.ExecuteHolder;
import org.apache.spark.sql.connect.service.SparkConnectExecutionManager;
import org.apache.spark.sql.connect.service.SparkConnectInterceptorRegistry$;
import org.apache.spark.sql.connect.service.SparkConnectService;
import org.apache.spark.sql.connect.service.SparkConnectService$;
import org.sparkproject.connect.grpc.ForwardingServerCallListener;
import org.sparkproject.connect.grpc.Metadata;
import org.sparkproject.connect.grpc.Server;
import org.sparkproject.connect.grpc.ServerBuilder;
import org.sparkproject.connect.grpc.ServerCall;
import org.sparkproject.connect.grpc.ServerCallHandler;
import org.sparkproject.connect.grpc.ServerInterceptor;
import org.sparkproject.connect.grpc.Status;
import org.sparkproject.connect.grpc.netty.NettyServerBuilder;
import scala.Function0;
import scala.collection.Iterable;
import scala.collection.Iterator;
import scala.runtime.AbstractFunction0;

/**
 * Spark Connect in a driver. Spark's own start would listen on all addresses of the machine, to
 * whoever comes; this one listens on the loopback address and lets in only calls that carry a secret,
 * which never is in a file, an argument, the environment or Spark's configuration.
 *
 * <p>It also tells whether anything runs: a line "operating" when the first operation begins, "rested"
 * when the last has ended, "touched" for calls that are none.
 *
 * <p>Only blocks are synchronized here: the compiler makes private methods static.
 */
public final class Connect implements ServerInterceptor, Runnable {
    private static final Metadata.Key SECRET = Metadata.Key.of("x-hearth-driver-secret", Metadata.ASCII_STRING_MARSHALLER);

    // What else a client calls is an operation: it has the driver work.
    private static final List TOUCHES = Arrays.asList(new String[] {
        "Config", "ArtifactStatus", "Interrupt", "ReleaseExecute", "ReleaseSession", "FetchErrorDetails"
    });

    // Names of the objects in ExecuteStatus.
    private static final List ENDED = Arrays.asList(new String[] {"Finished$", "Failed$", "Canceled$", "Closed$"});

    private static final long LOOK_AGAIN = 250; // at operations that nobody is attached to, in milliseconds
    private static final long TOUCH_AGAIN = 1000;

    private static String[] endpoint;

    private final byte[] secret;
    private final OutputStream told;
    private int calls; // operations that a client is attached to
    private boolean touched;
    private long touchAt; // not before that time, in milliseconds

    private Connect(String secret, OutputStream told) {
        this.secret = secret.getBytes(StandardCharsets.US_ASCII);
        this.told = told;
    }

    /** Starts Spark Connect, once, and gives its address and secret. */
    public static synchronized String[] start(SparkContext context) throws Exception {
        if (endpoint == null) {
            String activity = System.getenv("HEARTH_ACTIVITY");
            byte[] random = new byte[32];
            new SecureRandom().nextBytes(random);
            String secret = Base64.getUrlEncoder().withoutPadding().encodeToString(random);
            Connect guard = new Connect(secret, new FileOutputStream(activity == null ? "/dev/null" : activity));
            Server server = serve(context, guard);
            Thread teller = new Thread(guard, "hearth-activity");
            teller.setDaemon(true);
            teller.start();
            endpoint = new String[] {"127.0.0.1:" + server.getPort(), secret};
        }
        return endpoint;
    }

    private static Server serve(SparkContext context, Connect guard) throws Exception {
        NettyServerBuilder netty = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0));
        ServerBuilder builder = netty; // what is between the two is not the same in each Spark
        long most = ((Long) context.conf().get(Connect$.MODULE$.CONNECT_GRPC_MAX_INBOUND_MESSAGE_SIZE())).longValue();
        builder.maxInboundMessageSize((int) most);
        builder.addService(new SparkConnectService(false));
        SparkConnectInterceptorRegistry$.MODULE$.chainInterceptors(netty);
        builder.intercept(guard); // the last is the first to be asked
        Server server = builder.build();
        SparkConnectService$.MODULE$.server_$eq(server);
        Method pages = SparkConnectService$.class.getDeclaredMethod("createListenerAndUI", new Class[] {SparkContext.class});
        pages.setAccessible(true);
        pages.invoke(SparkConnectService$.MODULE$, new Object[] {context});
        makeSessions(context);
        server.start();
        return server;
    }

    /** Spark 4 asks somebody for the session that it makes those of clients from. */
    private static void makeSessions(SparkContext context) throws Exception {
        Method manager;
        try {
            manager = SparkConnectService$.class.getMethod("sessionManager", new Class[0]);
        } catch (NoSuchMethodException e) { // 3.5 asks nobody
            return;
        }
        Object sessions = manager.invoke(SparkConnectService$.MODULE$, new Object[0]);
        sessions.getClass().getMethod("initializeBaseSession", new Class[] {Function0.class})
            .invoke(sessions, new Object[] {new NewSession(context)});
    }

    public ServerCall.Listener interceptCall(ServerCall call, Metadata headers, ServerCallHandler next) {
        String shown = (String) headers.get(SECRET);
        if (shown == null || !MessageDigest.isEqual(this.secret, shown.getBytes(StandardCharsets.US_ASCII))) {
            call.close(Status.UNAUTHENTICATED.withDescription("This driver is reached through its Hearth server only."), new Metadata());
            return new Deaf();
        }
        headers.discardAll(SECRET);
        if (TOUCHES.contains(call.getMethodDescriptor().getBareMethodName())) {
            this.count(0);
            return next.startCall(call, headers);
        }
        this.count(1);
        try {
            return new Counted(next.startCall(call, headers), this);
        } catch (RuntimeException e) {
            this.count(-1);
            throw e;
        }
    }

    void count(int more) {
        synchronized (this) {
            this.calls += more;
            this.touched = true; // one may be over before it was seen
            this.notify();
        }
    }

    /** Tells what happens: no call ever waits for whoever reads it. */
    public void run() {
        try {
            while (true) {
                if (this.await()) {
                    this.tell("operating");
                    this.awaitDetached(0);
                    while (this.running()) {
                        this.awaitDetached(LOOK_AGAIN);
                    }
                    this.tell("rested");
                } else {
                    this.tell("touched");
                }
            }
        } catch (InterruptedException e) {
            return;
        } catch (IOException e) { // nobody listens any more: the driver is about to be ended
            return;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Waits for a call, and says whether it is an operation. */
    private boolean await() throws InterruptedException {
        synchronized (this) {
            while (this.calls == 0) {
                long early = this.touchAt - System.nanoTime() / 1000000;
                if (this.touched && early <= 0) {
                    break;
                }
                this.wait(this.touched ? early : 0);
            }
            this.touched = false;
            this.touchAt = System.nanoTime() / 1000000 + TOUCH_AGAIN;
            return this.calls > 0;
        }
    }

    /** Waits until no client is attached to an operation; when there is none, that one comes. */
    private void awaitDetached(long patience) throws InterruptedException {
        synchronized (this) {
            if (this.calls == 0 && patience > 0) {
                this.wait(patience);
            }
            while (this.calls > 0) {
                this.wait();
            }
        }
    }

    /** Whether an operation goes on, attached to or not. */
    private boolean running() throws ReflectiveOperationException {
        synchronized (this) {
            if (this.calls > 0) {
                return true;
            }
        }
        Iterator all = holders();
        while (all.hasNext()) {
            String status = ((ExecuteHolder) all.next()).eventsManager().status().getClass().getName();
            if (!ENDED.contains(status.substring(status.indexOf('$') + 1))) {
                return true;
            }
        }
        return false;
    }

    /** By name: these methods have other types in each Scala. */
    private static Iterator holders() throws ReflectiveOperationException {
        SparkConnectExecutionManager manager = SparkConnectService$.MODULE$.executionManager();
        Object list = manager.getClass().getMethod("listExecuteHolders", new Class[0]).invoke(manager, new Object[0]);
        return (Iterator) Iterable.class.getMethod("iterator", new Class[0]).invoke(list, new Object[0]);
    }

    private void tell(String what) throws IOException {
        this.told.write((what + "\n").getBytes(StandardCharsets.US_ASCII));
        this.told.flush();
    }

    private static final class NewSession extends AbstractFunction0 {
        private final SparkContext context;

        NewSession(SparkContext context) {
            this.context = context;
        }

        public Object apply() {
            return SparkSession.builder().sparkContext(this.context).getOrCreate().newSession();
        }
    }

    /** Hears nothing of a call that was refused. */
    private static final class Deaf extends ServerCall.Listener {
    }

    /** Hears the end of a call. */
    private static final class Counted extends ForwardingServerCallListener.SimpleForwardingServerCallListener {
        private final Connect guard;

        Counted(ServerCall.Listener listener, Connect guard) {
            super(listener);
            this.guard = guard;
        }

        public void onComplete() {
            this.guard.count(-1);
            super.onComplete();
        }

        public void onCancel() {
            this.guard.count(-1);
            super.onCancel();
        }
    }
}
