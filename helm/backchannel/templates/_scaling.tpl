{{/* HorizontalPodAutoscaler or ScaledObject of .name; dict root, name, component. */}}
{{- define "backchannel.scaling" -}}
{{- $target := printf "%s-%s" (include "backchannel.fullname" .root) .name -}}
{{- if and .component.autoscaling.enabled .component.keda.enabled -}}
{{- fail (printf "%s.autoscaling and %s.keda exclude each other: two scalers would work against each other" .name .name) -}}
{{- end -}}
{{- if .component.autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $target }}
  labels:
    {{- include "backchannel.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $target }}}
  minReplicas: {{ .component.autoscaling.minReplicas }}
  maxReplicas: {{ .component.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ .component.autoscaling.targetCPUUtilizationPercentage }}}
    {{- with .component.autoscaling.extraMetrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: {{ .component.autoscaling.scaleDownStabilizationSeconds }}
      # One at a time: whoever waited there asks again elsewhere.
      policies:
        - {type: Pods, value: 1, periodSeconds: 60}
{{- else if .component.keda.enabled }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ $target }}
  labels:
    {{- include "backchannel.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  scaleTargetRef: {name: {{ $target }}}
  minReplicaCount: {{ .component.keda.minReplicas }}
  maxReplicaCount: {{ .component.keda.maxReplicas }}
  triggers:
    {{- toYaml .component.keda.triggers | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "backchannel.budget" -}}
{{- if .component.podDisruptionBudget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "backchannel.fullname" .root }}-{{ .name }}
  labels:
    {{- include "backchannel.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  maxUnavailable: {{ .component.podDisruptionBudget.maxUnavailable }}
  # A pod that is not ready may always go, so that a broken one does not hold up the node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "backchannel.selector" .root | nindent 6 }}
      app.kubernetes.io/component: {{ .name }}
{{- end }}
{{- end -}}
