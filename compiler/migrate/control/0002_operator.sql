-- Operators see how every dataset fares: what is there, what was committed, who runs, what was migrated. They change nothing.

GRANT USAGE ON SCHEMA sluice TO sluice_operator;
GRANT SELECT ON sluice.datasets, sluice.generations, sluice.dataset_heads, sluice.output_commits, sluice.sink_instances,
                sluice.migrations, sluice.migration_steps, sluice.control_migrations TO sluice_operator;
CREATE POLICY operator_sees ON sluice.dataset_heads FOR SELECT TO sluice_operator USING (true);
CREATE POLICY operator_sees ON sluice.output_commits FOR SELECT TO sluice_operator USING (true);
CREATE POLICY operator_sees ON sluice.sink_instances FOR SELECT TO sluice_operator USING (true);
