//! Groups of widely used artifacts that are published without a `pom.properties`.
//!
//! Gradle and Ant write none, so the Spring Framework's archives, Tomcat's and others state no group
//! anywhere, and no advisory would ever be found for them. A row gives the group where two things agree: the
//! artifact's name, and a directory that only this project's classes stand in. The groups are those under
//! which Maven Central has the artifacts.

/// One project.
struct Project {
    /// The artifacts' names as they stand in file names; `*` at the end stands for anything.
    artifacts: &'static [&'static str],
    /// What its own classes begin with.
    directory: &'static str,
    /// Its group.
    group: &'static str,
    /// What stands before the artifact's name in its coordinates but not in its file name.
    prefix: &'static str,
}

const fn project(
    artifacts: &'static [&'static str],
    directory: &'static str,
    group: &'static str,
) -> Project {
    Project { artifacts, directory, group, prefix: "" }
}

static PROJECTS: &[Project] = &[
    project(&["h2"], "org/h2/", "com.h2database"),
    project(&["mysql-connector-j"], "com/mysql/", "com.mysql"),
    project(&["okhttp"], "okhttp3/", "com.squareup.okhttp3"),
    project(&["okio", "okio-jvm"], "okio/", "com.squareup.okio"),
    project(&["grpc-*"], "io/grpc/", "io.grpc"),
    project(&["micrometer-*"], "io/micrometer/", "io.micrometer"),
    project(&["reactor-core"], "reactor/core/", "io.projectreactor"),
    project(&["reactor-netty", "reactor-netty-*"], "reactor/netty/", "io.projectreactor.netty"),
    project(&["mysql-connector-java"], "com/mysql/", "mysql"),
    project(&["kafka-clients", "kafka-streams", "kafka_2.*"], "org/apache/kafka/", "org.apache.kafka"),
    project(&["kafka_2.*"], "kafka/", "org.apache.kafka"),
    project(&["lucene-*"], "org/apache/lucene/", "org.apache.lucene"),
    Project {
        artifacts: &["catalina", "catalina-ha", "catalina-tribes"],
        directory: "org/apache/catalina/",
        group: "org.apache.tomcat",
        prefix: "tomcat-",
    },
    project(&["tomcat-coyote"], "org/apache/coyote/", "org.apache.tomcat"),
    project(&["tomcat-util"], "org/apache/tomcat/util/", "org.apache.tomcat"),
    project(&["tomcat-websocket"], "org/apache/tomcat/websocket/", "org.apache.tomcat"),
    project(&["tomcat-jdbc"], "org/apache/tomcat/jdbc/", "org.apache.tomcat"),
    project(&["tomcat-embed-core"], "org/apache/catalina/", "org.apache.tomcat.embed"),
    project(&["tomcat-embed-websocket"], "org/apache/tomcat/websocket/", "org.apache.tomcat.embed"),
    project(
        &["bcmail-*", "bcpg-*", "bcpkix-*", "bcprov-*", "bctls-*", "bcutil-*"],
        "org/bouncycastle/",
        "org.bouncycastle",
    ),
    project(&["elasticsearch", "elasticsearch-*"], "org/elasticsearch/", "org.elasticsearch"),
    project(&["kotlin-stdlib", "kotlin-stdlib-*"], "kotlin/", "org.jetbrains.kotlin"),
    project(&["postgresql"], "org/postgresql/", "org.postgresql"),
    project(
        &[
            "spring-aop",
            "spring-aspects",
            "spring-beans",
            "spring-context",
            "spring-context-support",
            "spring-core",
            "spring-expression",
            "spring-jdbc",
            "spring-jms",
            "spring-messaging",
            "spring-orm",
            "spring-oxm",
            "spring-tx",
            "spring-web",
            "spring-webflux",
            "spring-webmvc",
            "spring-websocket",
        ],
        "org/springframework/",
        "org.springframework",
    ),
    project(&["spring-amqp", "spring-rabbit"], "org/springframework/amqp/", "org.springframework.amqp"),
    project(&["spring-boot", "spring-boot-*"], "org/springframework/boot/", "org.springframework.boot"),
    project(&["spring-integration-*"], "org/springframework/integration/", "org.springframework.integration"),
    project(&["spring-kafka"], "org/springframework/kafka/", "org.springframework.kafka"),
    project(&["spring-security-*"], "org/springframework/security/", "org.springframework.security"),
];

/// `group:artifact` of a well-known artifact.
pub(super) fn name_of(artifact: &str, has_directory: &dyn Fn(&str) -> bool) -> Option<String> {
    PROJECTS
        .iter()
        .find(|project| {
            project.artifacts.iter().any(|pattern| fits(pattern, artifact))
                && has_directory(project.directory)
        })
        .map(|project| format!("{}:{}{artifact}", project.group, project.prefix))
}

fn fits(pattern: &str, artifact: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => artifact.starts_with(start),
        None => artifact == pattern,
    }
}
