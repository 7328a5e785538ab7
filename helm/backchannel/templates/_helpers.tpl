{{- define "backchannel.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "backchannel.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "backchannel.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "backchannel.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "backchannel.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: backchannel
{{ include "backchannel.selector" . }}
{{- end -}}

{{- define "backchannel.selector" -}}
app.kubernetes.io/name: {{ include "backchannel.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "backchannel.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "backchannel.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "backchannel.fullname" .) }}
{{- else -}}
{{ required "serviceAccount.name must be given when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* A setting as text. Numbers of a values file are floats here, and a large one would be written as 1e+06. */}}
{{- define "backchannel.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end -}}

{{- define "backchannel.settings" -}}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
BACKCHANNEL_{{ $name }}: {{ include "backchannel.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The grace period of .component, refused where it is shorter than what it must cover. */}}
{{- define "backchannel.grace" -}}
{{- $drain := .root.Values.settings.DRAIN_SECONDS | default 20 | float64 -}}
{{- $wait := .root.Values.settings.LONGPOLL_MAX_WAIT_SECONDS | default 25 | float64 -}}
{{- /* A worker finishes the tries of deliveries that run. */}}
{{- $try := .root.Values.settings.WEBHOOK_TIMEOUT_SECONDS | default 15 | float64 -}}
{{- $longest := maxf $drain (ternary $wait $try (eq .name "api")) -}}
{{- $needed := add (int64 .component.preStopSeconds) (int64 (ceil $longest)) 10 -}}
{{- $grace := .component.terminationGracePeriodSeconds | default $needed | int64 -}}
{{- if lt $grace $needed -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d and must be at least %d: preStopSeconds, what running and waiting requests may take, and 10" .name $grace $needed) -}}
{{- end -}}
{{ $grace }}
{{- end -}}

{{- define "backchannel.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "backchannel.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Liveness asks nobody, so a Redis that is away restarts nothing. Startup waits for Redis once, five minutes at most. */}}
{{- define "backchannel.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 150
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{- define "backchannel.spread" -}}
{{- if .component.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $.component.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "backchannel.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.name }}
    # Replicas of another release of the program do not count.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* What decides where the pods of .component run. */}}
{{- define "backchannel.placement" -}}
{{- with .component.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .component.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .component.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "backchannel.adminSecret" -}}
{{- .Values.adminToken.existingSecret | default (printf "%s-admin" (include "backchannel.fullname" .)) -}}
{{- end -}}
