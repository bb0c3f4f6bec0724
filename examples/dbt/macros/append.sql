{# A table to which each run adds rows; --full-refresh begins it anew. dbt's incremental models need Athena's SQL. #}
{% materialization append, adapter='athena', supported_languages=['python'] %}
  {%- set relation = this.incorporate(type='table') -%}
  {%- set location = adapter.generate_s3_location(relation, target.s3_data_dir, 'schema_table') -%}
  {%- set mode = 'overwrite' if should_full_refresh() else 'append' -%}
  {%- call statement('main', language='python') -%}
    {{ athena__py_save_table_as(compiled_code, relation, {'location': location, 'mode': mode}) }}
  {%- endcall -%}
  {{ return({'relations': [relation]}) }}
{% endmaterialization %}
