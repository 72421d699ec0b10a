"""Which AWS calls the sinks' services cost: ECS, scaling, logs, alarms, the dashboard and the security group.

Sources: as in `deploy_calls`. Where AWS gives a call no resource (registering a task definition, making a cluster,
describing security groups), it is allowed everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from compiler.emit.deploy_places import Calls, Condition, Places, named


def _own_groups(places: Places) -> Mapping[str, Condition]:
    """Security groups of the stack only, which it knows by its tag; it may give the tag while it makes one."""
    tagged = {"StringEquals": {"aws:ResourceTag/sluice:stack": places.stack.name}}
    asked = {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
    changes = named(
        "ec2", "AuthorizeSecurityGroupEgress DeleteSecurityGroup DeleteTags RevokeSecurityGroupEgress"
    )
    return {**dict.fromkeys(changes, tagged), "ec2:CreateTags": asked}


COMPUTE_CALLS: Mapping[str, Calls] = {
    "aws:appautoscaling/policy:Policy": Calls(
        Places.scalable,
        (),
        named("application-autoscaling", "DeleteScalingPolicy PutScalingPolicy"),
        reads_anywhere=named("application-autoscaling", "DescribeScalingPolicies"),
    ),
    "aws:appautoscaling/target:Target": Calls(
        Places.scalable,
        named("application-autoscaling", "ListTagsForResource"),
        named("application-autoscaling", "DeregisterScalableTarget RegisterScalableTarget"),
        reads_anywhere=named("application-autoscaling", "DescribeScalableTargets"),
    ),
    "aws:cloudwatch/dashboard:Dashboard": Calls(
        Places.dashboard,
        named("cloudwatch", "GetDashboard"),
        named("cloudwatch", "DeleteDashboards PutDashboard"),
    ),
    "aws:cloudwatch/logGroup:LogGroup": Calls(
        Places.log_group,
        named("logs", "ListTagsForResource"),
        named("logs", "CreateLogGroup DeleteLogGroup PutRetentionPolicy TagResource UntagResource"),
        reads_anywhere=named("logs", "DescribeLogGroups"),
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Calls(
        Places.log_group,
        named("logs", "DescribeMetricFilters"),
        named("logs", "DeleteMetricFilter PutMetricFilter"),
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Calls(
        Places.alarm,
        named("cloudwatch", "DescribeAlarms ListTagsForResource"),
        named("cloudwatch", "DeleteAlarms PutMetricAlarm TagResource UntagResource"),
    ),
    "aws:ec2/securityGroup:SecurityGroup": Calls(
        Places.security_groups,
        (),
        named(
            "ec2",
            "AuthorizeSecurityGroupEgress CreateSecurityGroup CreateTags DeleteSecurityGroup DeleteTags"
            " RevokeSecurityGroupEgress",
        ),
        reads_anywhere=named("ec2", "DescribeNetworkInterfaces DescribeSecurityGroups"),
        conditions=_own_groups,
    ),
    "aws:ecs/cluster:Cluster": Calls(
        Places.cluster,
        named("ecs", "DescribeClusters ListTagsForResource"),
        named("ecs", "DeleteCluster TagResource UntagResource UpdateCluster UpdateClusterSettings"),
        writes_anywhere=named("ecs", "CreateCluster"),
    ),
    "aws:ecs/service:Service": Calls(
        Places.service,
        named(
            "ecs", "DescribeServices DescribeServiceDeployments ListServiceDeployments ListTagsForResource"
        ),
        named("ecs", "CreateService DeleteService TagResource UntagResource UpdateService"),
    ),
    "aws:ecs/taskDefinition:TaskDefinition": Calls(
        Places.revisions,
        named("ecs", "ListTagsForResource"),
        named("ecs", "TagResource UntagResource"),
        reads_anywhere=named("ecs", "DescribeTaskDefinition"),
        writes_anywhere=named("ecs", "RegisterTaskDefinition"),
        passes=("executionRoleArn", "taskRoleArn"),
    ),
}
