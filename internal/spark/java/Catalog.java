package hearth;

import java.util.Map;
import java.util.Set;
import org.apache.iceberg.spark.SparkSessionCatalog;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.catalyst.analysis.TableAlreadyExistsException;
import org.apache.spark.sql.connector.catalog.CatalogPlugin;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.StagedTable;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.delta.catalog.DeltaCatalog;
import org.apache.spark.sql.delta.sources.DeltaSourceUtils;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * Spark's own catalog with tables of Iceberg and of Delta. Either format's catalog puts itself in
 * front of Spark's; here Iceberg's is in front of Delta's, which is in front of Spark's.
 *
 * <p>Iceberg's takes what is behind it for Spark's own. What Delta's does beyond that, and where
 * Iceberg's would act on a table that is not its own, is decided here.
 */
public class Catalog extends SparkSessionCatalog {
    private final DeltaCatalog delta = new DeltaCatalog();
    private TableCatalog iceberg;

    protected TableCatalog buildSparkCatalog(String name, CaseInsensitiveStringMap options) {
        this.iceberg = super.buildSparkCatalog(name, options);
        return this.iceberg;
    }

    public void setDelegateCatalog(CatalogPlugin spark) {
        this.delta.setDelegateCatalog(spark);
        super.setDelegateCatalog(this.delta);
    }

    /** Iceberg's has none to add. */
    public Set capabilities() {
        return this.delta.capabilities();
    }

    /** Delta's are also the tables that are named by their path, which it loads before they exist. */
    public boolean tableExists(Identifier name) {
        return this.iceberg.tableExists(name) || this.delta.tableExists(name);
    }

    public Table loadTable(Identifier name, String version) throws NoSuchTableException {
        try {
            return super.loadTable(name, version);
        } catch (NoSuchTableException e) {
            return this.delta.loadTable(name, version);
        }
    }

    public Table loadTable(Identifier name, long timestamp) throws NoSuchTableException {
        try {
            return super.loadTable(name, timestamp);
        } catch (NoSuchTableException e) {
            return this.delta.loadTable(name, timestamp);
        }
    }

    public Table createTable(Identifier name, StructType columns, Transform[] partitions, Map properties)
            throws TableAlreadyExistsException, NoSuchNamespaceException {
        return isDelta(name, columns, properties)
            ? this.delta.createTable(name, columns, partitions, properties)
            : super.createTable(name, columns, partitions, properties);
    }

    public StagedTable stageCreate(Identifier name, StructType columns, Transform[] partitions, Map properties)
            throws TableAlreadyExistsException, NoSuchNamespaceException {
        return isDelta(name, columns, properties)
            ? this.delta.stageCreate(name, columns, partitions, properties)
            : super.stageCreate(name, columns, partitions, properties);
    }

    public StagedTable stageReplace(Identifier name, StructType columns, Transform[] partitions, Map properties)
            throws NoSuchNamespaceException, NoSuchTableException {
        return isDelta(name, columns, properties)
            ? this.delta.stageReplace(name, columns, partitions, properties)
            : super.stageReplace(name, columns, partitions, properties);
    }

    public StagedTable stageCreateOrReplace(Identifier name, StructType columns, Transform[] partitions, Map properties)
            throws NoSuchNamespaceException {
        return isDelta(name, columns, properties)
            ? this.delta.stageCreateOrReplace(name, columns, partitions, properties)
            : super.stageCreateOrReplace(name, columns, partitions, properties);
    }

    /** Iceberg's would take any table off the record, and leave its files. */
    public boolean dropTable(Identifier name) {
        return this.iceberg.tableExists(name) ? this.iceberg.dropTable(name) : this.delta.dropTable(name);
    }

    /**
     * Whether the table is to be Delta's. That columns of others have no defaults is seen to here:
     * Spark asks the catalog, which is the same for all, and Iceberg's would leave them out.
     */
    private static boolean isDelta(Identifier name, StructType columns, Map properties) {
        String provider = (String) properties.get("provider");
        if (provider != null && DeltaSourceUtils.isDeltaDataSourceName(provider)) {
            return true;
        }
        StructField[] fields = columns.fields();
        for (int i = 0; i < fields.length; i++) {
            if (fields[i].getCurrentDefaultValue().isDefined()) {
                throw new UnsupportedOperationException("Column " + fields[i].name() + " of table " + name
                    + " has a default value, which tables of Iceberg cannot have here.");
            }
        }
        return false;
    }
}
