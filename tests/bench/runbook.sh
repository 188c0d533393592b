#!/usr/bin/env bash
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The runbook by the AWS CLI, as somebody types it: stop, wait until the service is stable, clean, sleep 60 s, start,
# wait until it is stable, ask the health address. Usage: runbook.sh <the cleaner's definition, JSON> <health URL>
set -euo pipefail
definition=$1 health=$2
cluster=wwhd-cluster service=wwhd-backend

aws ecs update-service --cluster "$cluster" --service "$service" --desired-count 0 >/dev/null
aws ecs wait services-stable --cluster "$cluster" --services "$service"
registered=$(aws ecs register-task-definition --cli-input-json "file://$definition" \
  --query taskDefinition.taskDefinitionArn --output text)
aws ecs run-task --cluster "$cluster" --task-definition "$registered" --launch-type FARGATE --network-configuration \
  'awsvpcConfiguration={subnets=[subnet-677d281e],securityGroups=[sg-0a75b2c312d17f654],assignPublicIp=ENABLED}' >/dev/null
sleep 60
aws ecs update-service --cluster "$cluster" --service "$service" --force-new-deployment --desired-count 1 >/dev/null
aws ecs wait services-stable --cluster "$cluster" --services "$service"
until [[ $(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 "$health") == 200 ]]; do sleep 1; done
