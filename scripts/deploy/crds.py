"""The parts of custom resources that the chart writes, strictly: kind → (apiVersion, schema of its spec). Kubernetes has no schemas of them."""


def exactly(required=(), **properties):
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required) or list(properties)}


TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": TEXT}
COUNT = {"type": "integer", "minimum": 0}


def many(items):
    return {"type": "array", "minItems": 1, "items": items}


CRDS = {
    "ServiceMonitor": (
        "monitoring.coreos.com/v1",
        exactly(
            jobLabel=TEXT,
            podTargetLabels=many(TEXT),
            selector=exactly(matchLabels=TEXTS),
            endpoints=many(exactly(port=TEXT, path=TEXT, interval=TEXT)),
        ),
    ),
    "PrometheusRule": (
        "monitoring.coreos.com/v1",
        exactly(
            groups=many(
                exactly(name=TEXT, rules=many(exactly(("alert", "expr", "labels"), **{"for": TEXT}, alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS)))
            )
        ),
    ),
    "HTTPRoute": (
        "gateway.networking.k8s.io/v1",
        exactly(
            ("parentRefs", "rules"),
            parentRefs=many({"type": "object", "required": ["name"]}),
            hostnames=many(TEXT),
            rules=many(
                exactly(
                    matches=many(exactly(path=exactly(type={"enum": ["PathPrefix"]}, value=TEXT))),
                    timeouts=exactly(request=TEXT),
                    backendRefs=many(exactly(name=TEXT, port=COUNT)),
                )
            ),
        ),
    ),
    # Without the parts of Kubernetes that it is made of: objects.py looks at them as at those of any pod.
    "TestRun": (
        "k6.io/v1alpha1",
        exactly(
            parallelism={"const": 1},
            arguments=TEXT,
            script=exactly(localFile=TEXT),
            runner=exactly(
                image=TEXT,
                automountServiceAccountToken={"enum": ["false"]},
                securityContext={"type": "object"},
                containerSecurityContext={"type": "object"},
                env=many(exactly(("name",), name=TEXT, value={"type": "string"}, valueFrom={"type": "object"})),
                resources=exactly(limits=TEXTS, requests=TEXTS),
                volumeMounts=many(exactly(("name", "mountPath"), name=TEXT, mountPath=TEXT, readOnly={"type": "boolean"})),
                volumes=many({"type": "object", "required": ["name"]}),
            ),
        ),
    ),
    "ScaledObject": (
        "keda.sh/v1alpha1",
        exactly(
            scaleTargetRef=exactly(name=TEXT),
            minReplicaCount=COUNT,
            maxReplicaCount=COUNT,
            triggers=many(exactly(("type", "metadata"), type=TEXT, metricType=TEXT, metadata=TEXTS, authenticationRef={"type": "object"})),
        ),
    ),
}
