package hearth;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.mapreduce.OutputCommitter;
import org.apache.hadoop.mapreduce.TaskAttemptContext;
import org.apache.hadoop.mapreduce.lib.output.PathOutputCommitter;
import org.apache.spark.internal.io.FileNameSpec;
import org.apache.spark.sql.execution.datasources.SQLHadoopMapReduceCommitProtocol;
import scala.Option;

/**
 * Spark's commit protocol, with the committer that the destination's file system asks for: on S3 one
 * that makes files visible when the job commits, without renaming them.
 *
 * <p>Spark's own protocol writes past committers that do not rename, and the one of
 * spark-hadoop-cloud adds to a partition that was to be overwritten where the committer is one that
 * does. Dynamic overwriting replaces whole partitions, which only renaming can: it is done with the
 * file committer, as Spark does it anywhere.
 */
public class CommitProtocol extends SQLHadoopMapReduceCommitProtocol {
    private final boolean dynamic;
    private transient OutputCommitter committer;

    public CommitProtocol(String jobId, String path, boolean dynamic) {
        super(jobId, path, dynamic);
        this.dynamic = dynamic;
    }

    public OutputCommitter setupCommitter(TaskAttemptContext context) {
        if (this.dynamic) {
            context.getConfiguration().set("fs.s3a.committer.name", "file");
        }
        this.committer = super.setupCommitter(context);
        return this.committer;
    }

    public String newTaskTempFile(TaskAttemptContext context, Option dir, FileNameSpec spec) {
        if (this.dynamic || !(this.committer instanceof PathOutputCommitter)) {
            return super.newTaskTempFile(context, dir, spec);
        }
        try {
            Path folder = ((PathOutputCommitter) this.committer).getWorkPath();
            if (dir.isDefined()) {
                folder = new Path(folder, (String) dir.get());
            }
            return new Path(folder, this.getFilename(context, spec)).toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
