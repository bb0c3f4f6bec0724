package hearth;

import com.amazonaws.AmazonClientException;
import com.amazonaws.services.s3.model.PutObjectRequest;
import io.delta.storage.HadoopFileSystemLogStore;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.CopyOption;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Iterator;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStreamBuilder;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.s3a.S3AFileSystem;
import org.apache.hadoop.fs.s3a.S3AUtils;
import org.apache.hadoop.io.IOUtils;

/**
 * Delta's log for several drivers at once. A commit is a file that must not be there yet, and Delta's
 * own stores for S3 and for disks look first and write then, so that of two drivers that commit at the
 * same moment one would lose what it was told is written. Here the store or the disk itself refuses.
 */
public class LogStore extends HadoopFileSystemLogStore {
    public LogStore(Configuration configuration) {
        super(configuration);
    }

    public void write(Path path, Iterator actions, Boolean overwrite, Configuration configuration) throws IOException {
        FileSystem system = path.getFileSystem(configuration);
        if (!(system instanceof S3AFileSystem || system instanceof LocalFileSystem)) { // the session has one of its own
            this.writeWithRename(path, actions, overwrite, configuration);
            return;
        }
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        while (actions.hasNext()) {
            content.write(((String) actions.next() + "\n").getBytes(StandardCharsets.UTF_8));
        }
        if (system instanceof S3AFileSystem) {
            put((S3AFileSystem) system, path, content.toByteArray(), overwrite.booleanValue());
        } else {
            link(((LocalFileSystem) system).pathToFile(path), content.toByteArray(), overwrite.booleanValue());
        }
    }

    /** Whether what Delta itself writes, its checkpoints, has to get its name when it is complete. */
    public Boolean isPartialWriteVisible(Path path, Configuration configuration) throws IOException {
        return Boolean.valueOf(!(path.getFileSystem(configuration) instanceof S3AFileSystem));
    }

    private static void link(File target, byte[] content, boolean overwrite) throws IOException {
        File temporary = new File(target.getParentFile(), "." + target.getName() + "." + UUID.randomUUID() + ".tmp");
        try {
            Files.write(temporary.toPath(), content, new OpenOption[0]);
            if (overwrite) {
                new File(target.getParentFile(), "." + target.getName() + ".crc").delete(); // Hadoop's, of what it wrote there
                Files.move(temporary.toPath(), target.toPath(), new CopyOption[] {StandardCopyOption.ATOMIC_MOVE});
            } else {
                Files.createLink(target.toPath(), temporary.toPath());
            }
        } finally {
            Files.deleteIfExists(temporary.toPath());
        }
    }

    private static void put(S3AFileSystem system, Path path, byte[] content, boolean overwrite) throws IOException {
        if (!overwrite && system.exists(path)) { // some stores do not know the condition
            throw new FileAlreadyExistsException(path.toString());
        }
        try {
            if (system.hasPathCapability(path, Conditional.OPTION)) {
                Conditional.put(system, path, content, overwrite);
            } else {
                FirstSDK.put(system, path, content, overwrite);
            }
        } catch (IOException e) {
            if (overwrite || !system.exists(path)) {
                throw e;
            }
            // What is there may be this commit: its answer was lost, and it was sent again.
            if (!Arrays.equals(read(system, path), content)) {
                throw new FileAlreadyExistsException(path.toString());
            }
        }
    }

    private static byte[] read(FileSystem system, Path path) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        IOUtils.copyBytes(system.open(path), content, 4096, true);
        return content.toByteArray();
    }

    /** Hadoop's own way, since 3.4.2. */
    private static class Conditional {
        static final String OPTION = "fs.option.create.conditional.overwrite";

        static void put(S3AFileSystem system, Path path, byte[] content, boolean overwrite) throws IOException {
            FSDataOutputStreamBuilder file = system.createFile(path);
            file.recursive();
            file.overwrite(true);
            if (!overwrite) {
                file.opt(OPTION, true);
            }
            OutputStream to = (OutputStream) file.build();
            to.write(content);
            to.close();
        }
    }

    /** What Hadoop before it leaves to AWS's first SDK. */
    private static class FirstSDK {
        static void put(S3AFileSystem system, Path path, byte[] content, boolean overwrite) throws IOException {
            File file = File.createTempFile("delta-log-", ".json"); // which can be sent again and again
            try {
                Files.write(file.toPath(), content, new OpenOption[0]);
                PutObjectRequest request = system.getRequestFactory().newPutObjectRequest(
                    system.pathToKey(path), system.getRequestFactory().newObjectMetadata(content.length), file);
                if (!overwrite) {
                    request.putCustomRequestHeader("If-None-Match", "*");
                }
                system.getAmazonS3ClientForTesting("a commit to a Delta table").putObject(request);
            } catch (AmazonClientException e) {
                throw S3AUtils.translateException("commit", path, e);
            } finally {
                file.delete();
            }
        }
    }
}
