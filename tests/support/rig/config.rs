//! The host's configuration: container logs and events, through the three plugins, to the logs.

use std::path::Path;

use super::{cluster::Cluster, logs::Logs, node::Node};

/// What a configuration is made for.
pub struct Config<'a> {
    /// Where the cursor of the events goes.
    pub folder: &'a Path,
    /// Whose events and pods.
    pub cluster: &'a Cluster,
    /// Whose log files.
    pub node: &'a Node,
    /// The node's name in the cluster.
    pub node_name: &'a str,
    /// Further lines of the input of events.
    pub events: &'a str,
    /// Where the rows go.
    pub logs: &'a Logs,
}

impl Config<'_> {
    /// In the classic format, which every release reads.
    pub fn classic(&self) -> String {
        let (pattern, prefix, url) = (self.node.pattern(), self.node.tag_prefix(), self.logs.url());
        let (api, node, events) = (self.cluster.options(self.folder), self.node_name, self.events);
        let cursor = self.folder.join("events.db");
        let cursor = cursor.display();
        format!(
            "[SERVICE]
    Flush        0.2
    Grace        5
    Log_Level    info
    Plugins_File plugins.conf

[INPUT]
    Name             tail
    Tag              kube.*
    Path             {pattern}
    Read_from_Head   on
    Refresh_Interval 1

[INPUT]
    Name             kube_events
    Tag              kube_events
    DB               {cursor}
{api}{events}
[FILTER]
    Name             kube
    Match            kube.*
    Kube_Node_Name   {node}
    Kube_Tag_Prefix  {prefix}
    Cri              on
    Workload         on
    Owner_References on
{api}
[OUTPUT]
    Name             victorialogs
    Match            *
    Url              {url}
"
        )
    }
}
